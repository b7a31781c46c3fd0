"""The npm package, installed in an empty project, type-checked and run by Node."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from supply.lock import ROOT
from supply.release.failure import ReleaseError
from supply.release.python_package import CLIP, EXPECTED

TSC = ROOT / "web" / "node_modules" / ".bin" / "tsc"
LIMIT_S = 300

PROGRAM = """
import { readFile } from 'node:fs/promises';
import { Client } from 'auricle-client';

const [url, path] = process.argv.slice(2);
const client = new Client({ url });
const { text } = await client.transcribe(new Blob([await readFile(path)], { type: 'audio/wav' }));
console.log(text);
"""
TYPED = """
import { Client, LiveClient, type Final } from 'auricle-client';

export const client = new Client({ url: 'http://127.0.0.1:6007' });
export const live = new LiveClient({ url: 'http://127.0.0.1:6007', language: 'en' });
live.on('final', (event: Final) => event.text.length);
"""
TSC_OPTIONS = [
    *("--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"),
    *("--lib", "es2024,dom,dom.iterable"),
]


def check_node(node: Path, package: Path, url: str, folder: Path) -> dict[str, Any]:
    """Install the package with a Node, check its types, and transcribe a clip.

    Args:
        node: Directory with the program ``node``; npm is in the ``lib`` next to it.
        package: The packed package.
        url: A server.
        folder: An empty directory.

    Returns:
        The version of Node, and what was installed.

    Raises:
        ReleaseError: Something does not work, or another package was installed.
    """
    node = node.absolute()
    environ = os.environ | {"PATH": f"{node}{os.pathsep}{os.environ['PATH']}"}

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise ReleaseError(f"{' '.join(command[:2])} failed: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    project = {"name": "project", "private": True, "type": "module"}
    (folder / "package.json").write_text(json.dumps(project))
    (folder / "transcribe.js").write_text(PROGRAM)
    (folder / "typed.ts").write_text(TYPED)
    version = run("node", "--version")
    npm = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run("node", str(npm), "install", "--silent", "--no-audit", "--no-fund", str(package))
    installed = sorted(path.name for path in (folder / "node_modules").glob("[!.]*"))
    if installed != ["auricle-client"]:
        raise ReleaseError(f"npm installs {', '.join(installed)}")
    run("node", str(TSC), *TSC_OPTIONS, "typed.ts")
    text = run("node", "transcribe.js", url, str(CLIP))
    if EXPECTED not in text.lower():
        raise ReleaseError(f"Node {version} printed another text than {EXPECTED!r}: {text}")
    return {"node": version.removeprefix("v"), "packages": installed}
