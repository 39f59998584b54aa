"""Ray itself: how it is started, awaited and stopped, and what its logs say.

ray_process  started or joined in the background, awaited, stopped
ray_options  how Ray is started: quiet, small, finding this package from any folder
ray_token    the token that a local Ray demands, its own; whether a cluster takes this user's
patience     how long a start of Ray is waited for: as long as it shows progress
ray_logs     what Ray's logs say about a start that does not end
"""
