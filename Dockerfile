# What training in PyTorch Lightning needs; for the CPU unless TORCH_BACKEND names a CUDA version:
#
#     docker build --tag cifar .
#     docker build --tag cifar --build-arg TORCH_BACKEND=cu130 .
#     docker run --rm --volume "$PWD/runs:/experiments/runs" --volume cifar-data:/data cifar train model=cnn aug=basic
#
# With CUDA, `docker run` needs `--gpus all`. EXTRAS=all brings the other frameworks as well.
FROM python:3.12-slim

ARG TORCH_BACKEND=cpu
ARG EXTRAS=lightning,wandb

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN pip install --no-cache-dir "uv>=0.9,<1"

COPY . /src
RUN uv pip install --system --no-cache --torch-backend="$TORCH_BACKEND" -c /src/constraints.txt "/src[$EXTRAS]" \
    && rm -r /src

ENV CIFAR_DATA_DIR=/data
WORKDIR /experiments
ENTRYPOINT ["cifar"]
CMD ["--help"]
