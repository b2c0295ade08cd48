# syntax=docker/dockerfile:1
# `docker compose up --detach` builds this and starts it with its database: see docs/operations.md.

FROM python:3.11-slim AS build
RUN python -m venv /opt/steer
ENV PATH=/opt/steer/bin:$PATH
# PyTorch's own index of CPU builds spares several gigabytes of CUDA libraries.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY core core
COPY apps apps
ARG EXTRAS=postgres,redis
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home steer \
    && install --directory --owner=steer --group=steer /data
COPY --from=build /opt/steer /opt/steer
ENV PATH=/opt/steer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STEER_CACHE_DIR=/data/cache \
    STEER_RUNS_DIR=/data/runs
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 7860
# The models are loaded before the server listens.
HEALTHCHECK --interval=30s --timeout=5s --start-period=3m --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/health', timeout=4)"]
ENTRYPOINT ["steer"]
CMD ["serve", "--host", "0.0.0.0", "--auth", "--json-logs"]
