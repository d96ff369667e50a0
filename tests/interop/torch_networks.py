"""The papers' small networks in PyTorch, written as their authors have them."""

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


class Normalize(nn.Module):
    """Means and deviations are no tensors of the state, as in the authors' code."""

    def __init__(self, mean, std):
        super().__init__()
        self.statistics = [torch.tensor(value).reshape(1, -1, 1, 1) for value in (mean, std)]

    def forward(self, x):
        mean, std = self.statistics
        return (x - mean) / std


class Block(nn.Module):
    def __init__(self, width, features, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width, features, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(features)
        self.downsample = None
        if width != features:
            self.downsample = nn.Sequential(nn.Conv2d(width, features, 1, stride, bias=False), nn.BatchNorm2d(features))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depth, classes=10):
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        stage = lambda width, features, stride: nn.Sequential(
            Block(width, features, stride), *(Block(features, features, 1) for _ in range(blocks - 1))
        )
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.avgpool = nn.AvgPool2d(8, stride=1)
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.avgpool(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.flatten(1))


class LeNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5), nn.Conv2d(20, 50, 5)
        self.fc1, self.fc2 = nn.Linear(800, 500), nn.Linear(500, classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(torch.relu(conv(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def cifar_resnet(depth, seed=0):
    """With statistics of batches that are not those it starts with, in front of its normalisation."""
    torch.manual_seed(seed)
    network = nn.Sequential(Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)), ResNet(depth))
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(16, 3, 32, 32))
    return network.eval()


def lenet(seed=0):
    """As in the file of a checkpoint, in a Sequential."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Identity(), LeNet()).eval()
