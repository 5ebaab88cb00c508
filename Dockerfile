# Small, without a shell user, fit for a read-only root: what is written goes to /data and /tmp.
#   docker build -t credly-audit .
#   docker run --rm --read-only --tmpfs /tmp --user "$(id -u):$(id -g)" -v "$PWD":/data -e CREDLY_TOKEN_ACME credly-audit run
FROM python:3.13-slim AS build
RUN python -m venv --without-pip /opt/credly-audit
WORKDIR /build
COPY requirements-all.lock requirements-build.lock ./
RUN pip --python /opt/credly-audit/bin/python install --no-cache-dir --no-compile --require-hashes -r requirements-all.lock
RUN pip install --no-cache-dir --no-compile --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY credly_audit credly_audit
COPY report_templates report_templates
COPY sample_data sample_data
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels .
RUN pip --python /opt/credly-audit/bin/python install --no-cache-dir --no-compile --no-deps wheels/*.whl
RUN find /opt/credly-audit/lib -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
RUN python -m compileall -q /opt/credly-audit/lib

FROM python:3.13-slim
COPY --from=build /opt/credly-audit /opt/credly-audit
RUN mkdir /data && chown 65532:65532 /data
ENV PATH=/opt/credly-audit/bin:$PATH HOME=/data XDG_STATE_HOME=/data/state PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /data
VOLUME /data
ENTRYPOINT ["credly-audit"]
CMD ["--help"]
