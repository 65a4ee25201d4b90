"""A real Odoo 14 out of Debian bullseye's packages: fetched and checked by apt, only unpacked, never installed.

Nothing of it is installed on this machine and nothing needs root: apt resolves and downloads with a configuration of its own,
and bullseye's Python is started through the dynamic linker that it came with. Odoo itself is not changed.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

SUITE = "bullseye"
# python3-websocket: Odoo's own browser tests are skipped without it.
WANTED = ("odoo-14", "python3-websocket")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DOWNLOAD_SECONDS = 540
# What the packages name and a test never uses: PDF reports, dumps, and what serves maintainer scripts, none of which is run.
ASSUMED = (
    "adduser", "ca-certificates", "debconf", "debconf-2.0", "dpkg", "init-system-helpers", "lsb-base", "passwd", "perl", "perl-base",
    "postgresql-client", "sensible-utils", "tar", "ucf", "wkhtmltopdf",
)
LEFT_OUT = (
    "./usr/share/doc/*", "./usr/share/man/*", "./usr/share/locale/*", "./usr/lib/python3/dist-packages/odoo/addons/*/i18n/*",
    "./usr/lib/python3/dist-packages/odoo/addons/l10n_*",
)
# Raised when what is unpacked changes, so that older folders are made anew.
LAYOUT = "1"


class Unavailable(RuntimeError):
    """Odoo can't be had on this machine; the message says why and what would help."""


def unpack(folder, log_path, say):
    """The folder with Odoo and its Python, made if it is not there."""
    folder = Path(folder)
    stamp = folder / "ready"
    if stamp.exists() and stamp.read_text(encoding="utf-8").startswith(f"layout {LAYOUT}\n"):
        return folder
    downloads = folder.parent / "apt"
    with open(log_path, "a", encoding="utf-8") as log:
        debs = download(downloads, log, say)
        say(f"unpacking {len(debs)} packages")
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for deb in debs:
            unpack_one(deb, part)
        relocate(part)
        run([part / "python", "-c", "import odoo; print(odoo.release.version)"], log)
        (part / "ready").write_text(f"layout {LAYOUT}\n" + "".join(f"{deb.name}\n" for deb in debs), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return folder


def run(command, log, **options):
    """Runs a command and returns what it printed; what it complains of goes into the log."""
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, check=False, **options,
    )
    log.write(done.stdout)
    log.flush()
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(str(part) for part in command)} ended with code {done.returncode}: see {log.name}")
    return done.stdout


def mirror(log):
    """Where this machine's apt gets Debian's packages from. Security archives hold no whole distribution."""
    uris = run(["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"], log).split()
    for uri in sorted(set(uris)):
        if re.search(r"/debian/?$", uri) and "security" not in uri:
            return uri.rstrip("/")
    raise Unavailable("this machine's apt knows no Debian mirror")


def download(folder, log, say):
    """The packages, as files, in an order in which they can be unpacked."""
    for tool in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(tool):
            raise Unavailable(f"there is no {tool}: Odoo is unpacked from Debian's packages, on Debian")
    if not KEYRING.exists():
        raise Unavailable("packages can't be checked: install debian-archive-keyring")
    archives = folder / "archives"
    for path in (folder / "lists" / "partial", archives / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror(log)} {SUITE} main\n", encoding="utf-8")
    (folder / "status").write_text(
        "Package: assumed\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n"
        f"Provides: {', '.join(ASSUMED)}\nDescription: stands in\n\n", encoding="utf-8",
    )
    # The machine's own apt configuration stays out of it (it may delete what was downloaded), but for its proxy.
    proxy = re.findall(r"^Acquire::https?::Proxy.*$", run(["apt-config", "dump"], log), re.M)
    settings = {
        "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": "/dev/null", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::sourcelist": folder / "sources.list", "Dir::State": folder, "Dir::State::status": folder / "status",
        "Dir::State::lists": folder / "lists", "Dir::Cache": folder, "Dir::Cache::archives": archives,
        "APT::Install-Recommends": "false", "APT::Get::Assume-Yes": "true", "APT::Sandbox::User": "",
        "Acquire::Languages": "none", "Acquire::Retries": "3", "Debug::NoLocking": "1",
        # An archived release is not signed anew.
        "Acquire::Check-Valid-Until": "false",
    }
    configuration = folder / "apt.conf"
    configuration.write_text("".join(f'{key} "{value}";\n' for key, value in settings.items()) + "\n".join(proxy) + "\n", encoding="utf-8")
    options = {"env": {**os.environ, "APT_CONFIG": str(configuration)}, "timeout": DOWNLOAD_SECONDS}
    say("fetching Odoo 14 from Debian's packages (139 MB, once)")
    run(["apt-get", "-q", "update"], log, **options)
    run(["apt-get", "-q", "install", "--download-only", *WANTED], log, **options)
    debs = []
    for name, version in re.findall(r"^Inst (\S+) \((\S+)", run(["apt-get", "install", "--simulate", *WANTED], log, **options), re.M):
        name = name.split(":")[0]
        found = list(archives.glob(f"{name}_{version.replace(':', '%3a')}_*.deb"))
        if not found:
            raise Unavailable(f"apt did not fetch {name} {version}: see {log.name}")
        debs.append(found[0])
    return debs


def unpack_one(deb, folder):
    """Unpacks the files of a package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as archive:
        done = subprocess.run(
            ["tar", "-x", "-C", str(folder), "--no-same-owner", "--keep-directory-symlink", *(f"--exclude={path}" for path in LEFT_OUT)],
            stdin=archive.stdout, check=False,
        )
    if archive.returncode != 0 or done.returncode != 0:
        raise Unavailable(f"{deb.name} can't be unpacked")


def relocate(root):
    """Makes what names /usr/share or /lib name the same place below the folder."""
    for folder, folders, files in os.walk(root):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if path.is_symlink() and os.readlink(path).startswith("/"):
                inside = root / os.readlink(path).lstrip("/")
                if inside.exists():
                    path.unlink()
                    path.symlink_to(os.path.relpath(inside, path.parent))
    packages = root / "usr/lib/python3/dist-packages"
    prefix = "__import__('sys').prefix + '/share/"
    replace(packages / "docutils/__init__.py", "'/usr/share/docutils/", f"{prefix}docutils/")
    replace(packages / "pytz/tzfile.py", "'/usr/share/zoneinfo", f"{prefix}zoneinfo")
    linker = next(root.glob("lib/*/ld-[0-9]*.so")).relative_to(root)
    python = root / "python"
    python.write_text(
        "#!/bin/sh\n"
        "# bullseye's Python with bullseye's libraries, on whatever runs here.\n"
        'root=$(cd "$(dirname "$0")" && pwd)\n'
        f'PYTHONHOME=$root/usr exec "$root/{linker}" --library-path "$root/{linker.parent}:$root/usr/{linker.parent}" '
        '"$root/usr/bin/python3.9" -W ignore "$@"\n', encoding="utf-8",
    )
    python.chmod(0o755)
    # Odoo starts its process for long polling by sys.executable, which would be the bare interpreter.
    site = root / "usr/lib/python3.9/sitecustomize.py"
    site.unlink(missing_ok=True)
    site.write_text("import os\nimport sys\n\nsys.executable = os.path.join(os.path.dirname(sys.prefix), 'python')\n", encoding="utf-8")


def replace(path, old, new):
    """Replaces text that must be there."""
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise Unavailable(f"{path} is not what it was: it has no {old}")
    path.write_text(text.replace(old, new), encoding="utf-8")
