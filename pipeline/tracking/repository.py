"""Which code a run is of: the commit it stands on, and the locked environment."""

from pathlib import Path

_ROOT = Path(__file__).parents[2]


def git_tags() -> dict[str, str]:
    """The commit, the branch, and whether files differ from it; empty outside a repository."""
    import git

    try:
        repository = git.Repo(_ROOT)
        commit = repository.head.commit.hexsha
        dirty = repository.is_dirty(untracked_files=True)
    except (git.GitError, ValueError, OSError):  # no repository, no commit, no git
        return {}
    tags = {"mlflow.source.git.commit": commit, "git.dirty": str(dirty).lower()}
    if not repository.head.is_detached:
        tags["mlflow.source.git.branch"] = repository.active_branch.name
    return tags


def lock_file() -> Path | None:
    """The locked requirements, where they are at hand."""
    found = _ROOT / "requirements.lock"
    return found if found.exists() else None
