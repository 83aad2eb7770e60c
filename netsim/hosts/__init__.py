"""What answers inside a VPC and is more than a kernel: its DNS resolver."""
