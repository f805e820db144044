# modelprov in a container, as an ordinary user: docker build -t modelprov . && docker run --rm -v "$PWD:/work" modelprov compare ...
# With a GPU: docker build --build-arg EXTRAS=gpu,quantised -t modelprov . && docker run --rm --gpus all ... (the driver is the host's).
# A release names the base by digest: --build-arg PYTHON=python:3.12-slim@sha256:...
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-deps --wheel-dir /wheels .

FROM ${PYTHON}
ARG EXTRAS=attest,buckets,quantised
COPY constraints.txt /constraints.txt
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir -c /constraints.txt "$(echo /wheels/*.whl)[${EXTRAS}]" \
    && rm -r /wheels /constraints.txt && useradd --create-home auditor
USER auditor
WORKDIR /work
ENTRYPOINT ["modelprov"]
