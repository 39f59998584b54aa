"""Training: packs of trials in, results out. Knows nothing of Ray and MLflow.

setup       from a spec to a network at its first step
steps       one training step: dense, sparse, batched
measures    what is measured of a network
needs       the networks that trials need before they are set up
train       the training engine: packs in, results out
revision    the moments of a trial: its method chooses masks again
shaping     the steps before its last moment: its method shapes the network
trainers    how the trials of a pack are trained: one alone, or all in one batched step
member      one trial of a pack while it is trained
draws       what is drawn for each epoch: the order of the images, and their moves
outcome     what a trial that ended early came to
endless     the training of a prepared trial, for ever: for stopwatches
file_size   what a trained network takes as a file
candidates  candidates for hyper-parameters, trained without the test images
"""
