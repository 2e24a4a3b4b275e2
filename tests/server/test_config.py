import re
from pathlib import Path

import pytest

from skuscan.errors import ConfigError
from skuscan.model import Model
from skuscan_models.artifacts import IN_USE
from skuscan_server.config import load_config


def test_one_folder_is_the_whole_server(tmp_path: Path) -> None:
    config = load_config(data_folder=tmp_path)
    assert all(path.is_relative_to(tmp_path) for path in (config.published, config.keys, config.pictures))
    assert config.url == f"sqlite:///{tmp_path}/skuscan.db"


def test_the_environment_sets_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSCAN_SERVER_DISPLAY_SIDE", "120")
    monkeypatch.setenv("SKUSCAN_SERVER_DATABASE_URL", "postgresql://db/skuscan")
    config = load_config()
    assert (config.display_side, config.url) == (120, "postgresql://db/skuscan")


def test_a_wrong_value_is_said_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSCAN_SERVER_WORKERS", "none")
    with pytest.raises(ConfigError, match=r"SKUSCAN_SERVER_WORKERS.*received none"):
        load_config()


def test_the_released_model_is_installed_as_data(released_model: Model) -> None:
    assert Model.open_folder(load_config().model_folder).artifact.name == IN_USE == released_model.artifact.name


@pytest.mark.parametrize("tool", ["arm64.sh", "environment_answers.py"])
def test_tools_for_other_environments_name_the_model_in_use(project_root: Path, tool: str) -> None:
    named = re.findall(r"models\W+artifacts\W+([\w-]+)", (project_root / "tools" / tool).read_text())
    assert named == [IN_USE]
