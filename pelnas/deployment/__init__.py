"""Networks that leave: as files for PyTorch and ONNX, checked, with a card that says what they are."""

from pelnas.deployment.package import Exported, export_networks

__all__ = ["Exported", "export_networks"]
