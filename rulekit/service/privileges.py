"""Rights of a process that it does not need any more, given up for good."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from rulekit.errors import RulekitError

# include/uapi/linux/capability.h
_NAMES = """\
chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable
net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot
sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease
audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read
perfmon bpf checkpoint_restore"""
CAPABILITIES = {name: number for number, name in enumerate(_NAMES.split())}
_VERSION_3 = 0x20080522
# include/uapi/linux/prctl.h
_CAPBSET_READ, _CAPBSET_DROP = 23, 24
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 47, 4


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def capability_numbers(names: Iterable[str]) -> frozenset[int]:
    """Return capabilities by their names, with or without ``cap_``.

    Raises:
        RulekitError: There is none of that name.
    """
    found = set()
    for name in names:
        number = CAPABILITIES.get(name.lower().removeprefix("cap_"))
        if number is None:
            raise RulekitError(f"no capability is called `{name}`")
        found.add(number)
    return frozenset(found)


def drop_privileges(keep: frozenset[int]) -> frozenset[int]:
    """Give up every capability but these, and that programs started later can have more.

    Holds for the calling thread and for those that it starts from then on: call it before there are
    others.

    Args:
        keep: Numbers of capabilities; those that the process does not have are not gained.

    Returns:
        The numbers of those that it has now.

    Raises:
        RulekitError: The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_VERSION_3, 0)
    sets = (_Set * 2)()
    _check(libc.capget(ctypes.byref(header), sets), "capget")
    held = sets[0].permitted | sets[1].permitted << 32
    kept = frozenset(number for number in keep if held >> number & 1)
    if held >> CAPABILITIES["setpcap"] & 1:
        for number in range(64):
            if number not in kept and libc.prctl(_CAPBSET_READ, number, 0, 0, 0) == 1:
                _check(libc.prctl(_CAPBSET_DROP, number, 0, 0, 0), "PR_CAPBSET_DROP")
    _check(libc.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT")
    mask = sum(1 << number for number in kept)
    for half in range(2):
        part = mask >> 32 * half & 0xFFFFFFFF
        sets[half] = _Set(part, part, 0)
    _check(libc.capset(ctypes.byref(header), sets), "capset")
    _check(libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    return kept


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise RulekitError(f"privileges cannot be dropped: {what}: {os.strerror(code)}")
