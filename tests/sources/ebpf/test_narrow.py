"""System calls of 32-bit programs: they would be a way around every rule."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rulekit.sources.ebpf.routes import COMPAT, N_ROUTES, RouteFlag, routes
from tests.sources.ebpf.live import Decoy
from tests.waiting import PATIENCE_S

HERE = Path(__file__).parent
BARE = ["-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie"]


def compile_c(source: str, folder: Path, *options: str) -> Path:
    """Compile a program of this folder, or skip."""
    gcc = shutil.which("gcc")
    if gcc is None or platform.machine() != "x86_64":
        pytest.skip("32-bit programs are made by gcc on x86_64")
    made = folder / Path(source).stem
    subprocess.run([gcc, "-O1", "-w", *options, "-o", made, HERE / source], check=True)
    return made


def can_run(program: Path, cwd: Path) -> bool:
    """Return whether the kernel runs it at all."""
    try:
        return subprocess.run([program], cwd=cwd, check=False).returncode in (0, 1)
    except OSError:
        return False


def recorded(program: Path, folder: Path, condition: str, form: str) -> list[str]:
    """Record a program and return its events as text."""
    capture = folder / "a.scap"
    decoy = Decoy(folder / "decoy-file-of-nobody")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rulekit", "record", "-w", capture, "--", program],
            capture_output=True, text=True, timeout=PATIENCE_S, cwd=folder,
        )  # fmt: skip
        decoy.absent_from_capture(capture)
    finally:
        decoy.end()
    assert done.returncode == 0, done.stderr
    assert ", 0 drops" in done.stderr
    return subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", capture, "-p", f"*{form}", condition],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip


F = "fd=3(<f>{cwd}/narrow-file)"
U = "fd=4(<4u>127.0.0.1:"
# What narrow.c calls, in its order: how the event begins, and what else it says.
EXPECTED = [
    ("open fd=3", "name=narrow-file({cwd}/narrow-file)", "(O_CREAT|O_RDWR|O_F_CREATED) mode=0640"),
    ("write res=5 data=hello", F, "size=5"),
    ("writev res=10 data=hello-more", F, "size=10"),
    ("pwrite res=-27(EFBIG) data=pos", F, "size=3 pos=4294967396"),
    ("llseek res=0", F, "offset=4294967303 whence=0(SEEK_SET)"),
    ("lseek res=12", F, "offset=-3 whence=2(SEEK_END)"),
    ("newfstatat res=0", "path=narrow-file(", "flags=256(AT_SYMLINK_NOFOLLOW)"),
    ("chown res=0 path=narrow-file(", "uid=12 gid=-1"),
    ("chown res=0 path=narrow-file(", "uid=70000 gid=-1"),
    ("chmod res=0 filename=narrow-file(", "mode=0600"),
    ("mmap res=", "addr=0 length=8192 prot=3(PROT_READ|PROT_WRITE)", "fd=-1", "offset=0"),
    ("mmap res=", "length=4096 prot=1(PROT_READ) flags=2(MAP_PRIVATE)", F, "offset=0"),
    ("umount res=-2(ENOENT) name=/nonexistent",),
    ("nanosleep res=0 interval=1234(",),
    ("ppoll res=0", "timeout=0("),  # what is left of it
    ("socket fd=4(<4>) domain=2(AF_INET) type=2",),
    ("connect res=0", U, "->127.0.0.1:9", "addr=127.0.0.1:9"),
    ("sendto res=5 data=hello", U, "size=5 tuple=127.0.0.1:", "->127.0.0.1:9"),
    ("sendmsg res=-111(ECONNREFUSED) data=hello-more", U, "size=10"),
    ("socket fd=5(<4>) domain=2(AF_INET) type=1",),
    ("connect res=-111(ECONNREFUSED)", "fd=5(<4>) addr=127.0.0.1:9"),
    ("semget res=", "key=0 nsems=1 semflg=8576(IPC_CREAT)"),
    ("setresuid res=0 ruid=-1(<NONE>) euid=0(root) suid=-1(<NONE>)",),
    ("statfs",),
    ("execve res=-2(ENOENT) exe=first args=second. ", "env=NARROW=1. ", "filename=/nonexistent"),
    ("execve res=0 exe=first args=second. ", "env=NARROW=1. ", "filename=/bin/true"),
]


def test_calls_of_a_32_bit_program(bpf: None, tmp_path: Path) -> None:
    program = compile_c("narrow.c", tmp_path, "-m32", *BARE)
    if not can_run(program, tmp_path):
        pytest.skip("this kernel runs no 32-bit programs")
    (tmp_path / "narrow-file").unlink()
    lines = recorded(program, tmp_path, "proc.name in (narrow, true)", "%evt.type %evt.args")
    assert "comm=narrow" in lines[0]
    for line, (start, *others) in zip(lines[1:], EXPECTED, strict=False):
        assert line.startswith(start)
        for other in others:
            assert other.format(cwd=tmp_path) in line


def test_rules_see_32_bit_calls(bpf: None, tmp_path: Path) -> None:
    """The events that a rule asks for, not only those of a whole recording."""
    program = compile_c("narrow.c", tmp_path, "-m32", *BARE)
    if not can_run(program, tmp_path):
        pytest.skip("this kernel runs no 32-bit programs")
    (tmp_path / "rules.yaml").write_text(
        "- rule: Mode\n  desc: the mode of a file was changed\n  priority: NOTICE\n"
        "  condition: evt.type = chmod and fs.path.name endswith /narrow-file\n"
        "  output: '%fs.path.name'\n"
        "- rule: Sent\n  desc: something was sent\n  priority: NOTICE\n"
        "  condition: evt.type = sendto and evt.buffer = hello\n  output: '%fd.rport'\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "run", "--source", "ebpf", "-r", "rules.yaml",
         "--format", "text", "--", program],
        capture_output=True, text=True, timeout=PATIENCE_S, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == [
        f"{tmp_path}/narrow-file",
        "9",
    ]


def test_int_0x80_of_a_64_bit_program(bpf: None, tmp_path: Path) -> None:
    program = compile_c("narrow_in_wide.c", tmp_path)
    if not can_run(program, tmp_path):
        pytest.skip("this kernel takes no 32-bit calls")
    condition = "evt.type = open and fd.name = /etc/hostname"
    lines = recorded(program, tmp_path, condition, "%evt.type %proc.name %fd.name")
    assert lines == ["open narrow_in_wide /etc/hostname"]


def test_routes_of_32_bit_calls() -> None:
    table = routes("x86_64")
    by_index = {route.index: route for route in table}
    assert len(by_index) == len(table)
    assert max(by_index) < N_ROUTES
    for number, other in {5: 2, 11: 59, 226: 188, 359: 41, 377: 326}.items():
        # open, execve, setxattr, socket, copy_file_range
        narrow, wide = by_index[COMPAT + number], by_index[other]
        assert (narrow.name, narrow.type, narrow.code) == (wide.name, wide.type, wide.code)
        assert narrow.flags == RouteFlag.NARROW
    assert by_index[520].name == "execve"  # x32
    assert by_index[520].type == by_index[59].type


def test_every_32_bit_call_has_a_route() -> None:
    """Those that the kernel has; the first of the headers that are installed."""
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_32.h")
    if not header.exists():
        pytest.skip("no header with the numbers of 32-bit calls")
    known = {route.index for route in routes("x86_64")}
    never = {  # names without a call behind them
        "break", "stty", "gtty", "ftime", "prof", "lock", "mpx", "ulimit", "uselib", "profil",
        "idle", "create_module", "get_kernel_syms", "bdflush", "afs_syscall", "_sysctl",
        "query_module", "nfsservctl", "getpmsg", "putpmsg", "vserver", "vm86old", "vm86",
    }  # fmt: skip
    for line in header.read_text().splitlines():
        if line.startswith("#define __NR_"):
            name, number = line.removeprefix("#define __NR_").split()
            assert COMPAT + int(number) in known or name in never, name
