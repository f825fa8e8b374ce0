"""`cutover serve`: the operators' pages, the code desk, the customers' rooms, the gateways' doors, metrics."""
