# The orchestrator in one image: web, workers, migrations and Flower are commands of it.
# Versions are those of requirements.lock; the process is no root and needs no writable file system but /tmp.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/orchestrator
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml requirements.lock README.md LICENSE celeryconfig.py ./
COPY orchestrator orchestrator
COPY tasks tasks
COPY web web
COPY workflows workflows
COPY migrations migrations
RUN /opt/orchestrator/bin/pip install --constraint requirements.lock ".[flower,otel]"

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent orchestrator
COPY --from=build /opt/orchestrator /opt/orchestrator
ENV PATH=/opt/orchestrator/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Definitions are looked for in ./workflows: mount yours at /app/workflows, or the bundled ones are used.
WORKDIR /app
USER 10001
EXPOSE 8000
ENTRYPOINT ["orchestrator"]
CMD ["web", "--host", "0.0.0.0"]
