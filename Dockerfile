# An image for servers and clusters; needs neither GPU nor network to run.
#   docker build -t slim-image-classifier .
#   docker run --rm --gpus=all --user="$(id -u):$(id -g)" -v "$PWD":/work \
#       slim-image-classifier -m train_image_classifier --train_dir=runs/flowers …
# Linted with hadolint; not built by the authors.
FROM python:3.12-slim

WORKDIR /opt/slim-image-classifier
COPY . .
# The lock first, so that only CUDA's libraries are resolved anew.
RUN pip install --no-cache-dir --require-hashes -r requirements.lock \
    && pip install --no-cache-dir --no-build-isolation -e ".[gpu]"

WORKDIR /work
ENTRYPOINT ["python"]
