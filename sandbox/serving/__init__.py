"""The sandbox as a server: HTTP, ports, certificates, delivered webhooks."""
