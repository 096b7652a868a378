#!/bin/bash
# A training on all machines of a TPU slice:  TPU=my-slice ZONE=us-central2-b bash docs/launch/tpu_vm.sh
# Beforehand the repository must lie in ~/jaxgan of each machine, with jaxgan[tpu] installed in ~/jaxgan/.venv.
set -euo pipefail

# On TPU machines JAX asks the metadata server who the others are: --distributed jax leaves that to it.
gcloud compute tpus tpu-vm ssh "${TPU:?the name of the slice}" --zone "${ZONE:?its zone}" --worker=all --command "
cd jaxgan && . .venv/bin/activate &&
exec python train.py --distributed jax --config ${CONFIG:-cifar10_r3gan} --workdir ${WORKDIR:-runs/tpu} ${OPTIONS:-}
"
