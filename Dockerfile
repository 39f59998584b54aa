# The benchmark in a container: `docker build -t freeze-or-prune .`, then as docs/install.md says.
FROM python:3.12-slim AS wheel
COPY pyproject.toml setup.cfg README.md /source/
COPY bench /source/bench
COPY methods /source/methods
COPY models /source/models
COPY datasets /source/datasets
COPY results /source/results
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
COPY --from=wheel /wheels /wheels
# torch's wheel for Linux on PyPI holds CUDA's libraries too: one image for machines with and without GPUs.
RUN pip install --no-cache-dir /wheels/*.whl && rm -r /wheels
# HOME may be written by any user: docs/install.md runs the container as the user of the host.
RUN useradd --create-home --uid 1000 bench && chmod 777 /home/bench && mkdir /sweep && chown bench /sweep
USER bench
ENV HOME=/home/bench
WORKDIR /sweep
ENTRYPOINT ["python", "-m", "bench"]
CMD ["--help"]
