"""The sandbox as a server: HTTP, ports, certificates, delivery of webhooks."""
