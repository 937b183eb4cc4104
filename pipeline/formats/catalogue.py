"""Every format in words: what the README's table and `trail formats` are made of."""

from __future__ import annotations

CATALOGUE: dict[str, str] = {
    "common": "Apache and nginx, common log",
    "combined": "Apache and nginx, combined log; `combined+1` to `combined+8` with further quoted fields",
    "vhost_common": "common with the virtual host in front",
    "vhost_combined": "combined with the virtual host in front, also with further quoted fields",
    "ionos": "combined with the host in the middle and a further field, as IONOS writes it",
    "ionos_short": "combined with the host in the middle",
    "traefik": "Traefik, common log",
    "haproxy": "HAProxy `option httplog`; `haproxy+1` and `haproxy+2` with captured headers",
    "envoy": "Envoy's default access log",
    "aws_alb": "AWS Application Load Balancer",
    "aws_elb": "AWS Classic Load Balancer",
    "aws_s3": "AWS S3 server access log",
    "iis": "IIS's own format, before W3C",
    "squid": "Squid's native access log",
    "nginx_json": "the JSON line documented above",
    "caddy": "Caddy, JSON",
    "traefik_json": "Traefik, JSON",
    "cloudflare": "Cloudflare Logpush, HTTP requests",
    "google_load_balancer": "Google Cloud load balancer, JSON",
    "json": "JSON of any other writer, whose keys the source's `fields` name",
    "w3c": "W3C extended: IIS, CloudFront and others, with headers that may change inside the file",
}

WRAPPER_CATALOGUE: dict[str, str] = {
    "syslog": "syslog's prefix, as rsyslog and syslogd write it",
    "syslog_5424": "syslog's prefix after RFC 5424",
    "compose": "`service  | ` of docker compose",
    "cri": "the prefix of Kubernetes' container logs (CRI)",
    "docker": "Docker's json-file log",
    "journald": "`journalctl -o json`",
}
