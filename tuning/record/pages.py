"""MLflow's web app with its pages for model training shown first; MLflow finds it by the entry point `mlflow.app`.

What a browser keeps for a page decides what MLflow shows, and its default is chatbots: "GenAI", with an assistant open.
"""

from pathlib import Path
from typing import Any

# Keys and values of MLflow 3.17's pages; what a user chose there since is left alone.
CHOICES = {"mlflow.workflowType_v1": '"machine_learning"', "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true"}
PICTURES = 'img[src*="get-artifact?run_uuid="] { max-width: 44vw; }'


def web_app() -> Any:
    """The ASGI app: MLflow's, with a start page that makes our choices before MLflow's script runs."""
    import mlflow.server
    from mlflow.server.fastapi_app import app
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    folder = mlflow.server.app.static_folder
    assert folder is not None
    page = start_page(Path(folder, "index.html").read_text(encoding="utf-8"))
    app.router.routes.insert(0, Route("/", lambda request: HTMLResponse(page)))
    return app


def start_page(index: str) -> str:
    """MLflow's page with our choices made, and pictures in a description that leave room for what stands beside."""
    made = "".join(f"localStorage['{key}'] ??= '{value}';" for key, value in CHOICES.items())
    return index.replace("<head>", f"<head><script>{made}</script><style>{PICTURES}</style>", 1)
