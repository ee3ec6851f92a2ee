"""The parts of a mixture of experts: routers, products, losses, balance, exchange of tokens."""
