# syntax=docker/dockerfile:1
# The command line, the web UI and the served graphs, on processors. See docs/docker.md.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY agents agents
COPY graph graph
COPY pelnas pelnas
COPY prompts prompts
COPY tools tools
# As the Makefile installs it: one pinned setuptools, no isolated builds. A pip.conf of yours says
# where packages come from, such as builds of torch without CUDA; it does not enter the image.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m venv /opt/pelnas \
    && /opt/pelnas/bin/python -m pip install --no-cache-dir -c constraints.txt setuptools \
    && /opt/pelnas/bin/python -m pip install --no-cache-dir -c constraints.txt --no-build-isolation \
       ".[ui,serve,postgres,mcp,openai,anthropic,google,ollama]"

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 pelnas
COPY --from=build /opt/pelnas /opt/pelnas
ENV PATH=/opt/pelnas/bin:$PATH
USER pelnas
WORKDIR /home/pelnas
# Volumes that are mounted here belong to the user, since their folders do. The second holds caches
# and knowledge.
RUN mkdir runs chroma .cache
ENTRYPOINT ["pelnas"]
CMD ["--help"]
