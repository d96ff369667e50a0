"""The papers' networks, from the tensors of their checkpoints: plain JAX functions of a pytree of weights."""

from jaxsmooth.interop.papers.cifar_resnet import cifar_resnet20 as cifar_resnet20
from jaxsmooth.interop.papers.cifar_resnet import cifar_resnet110 as cifar_resnet110
from jaxsmooth.interop.papers.cifar_resnet import resnet110_a as resnet110_a
from jaxsmooth.interop.papers.denoising_cnn import dncnn as dncnn
from jaxsmooth.interop.papers.densenet import densenet40 as densenet40
from jaxsmooth.interop.papers.find import from_paper as from_paper
from jaxsmooth.interop.papers.imagenet_resnet import resnet50 as resnet50
from jaxsmooth.interop.papers.mnist_lenet import lenet as lenet
from jaxsmooth.interop.papers.network import PaperNetwork as PaperNetwork
from jaxsmooth.interop.papers.unet import UNetSizes as UNetSizes
from jaxsmooth.interop.papers.unet import unet_cifar as unet_cifar
from jaxsmooth.interop.papers.unet import unet_imagenet as unet_imagenet
from jaxsmooth.interop.papers.wide import wide_resnet as wide_resnet
