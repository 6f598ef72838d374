"""The addresses of this machine's network interfaces, from getifaddrs(3)."""

from libc.errno cimport errno

import os
import socket

cdef extern from "<ifaddrs.h>":
    cdef struct ifaddrs:
        ifaddrs* ifa_next
        char* ifa_name
        sockaddr* ifa_addr
        sockaddr* ifa_netmask
        sockaddr* ifa_broadaddr
    int getifaddrs(ifaddrs** first)
    void freeifaddrs(ifaddrs* first)

cdef extern from "<netinet/in.h>":
    cdef struct sockaddr:
        unsigned short sa_family
    enum:
        AF_INET
        AF_INET6

cdef enum:
    V4_AT = 4                # of the address in a sockaddr_in, a sockaddr_in6
    V6_AT = 8


cdef bytes _address(const sockaddr* address, int family):
    cdef int size = 4 if family == AF_INET else 16
    cdef int at = V4_AT if family == AF_INET else V6_AT
    if address == NULL or address.sa_family != family:
        return bytes(size)
    return (<const char*> address + at)[:size]


def addresses():
    """Return (name, address, netmask, broadcast) of every IP address; addresses as text.

    Raises:
        OSError: The system refuses.
    """
    cdef ifaddrs* first = NULL
    cdef ifaddrs* face
    if getifaddrs(&first):
        raise OSError(errno, os.strerror(errno))
    found = []
    try:
        face = first
        while face != NULL:
            if face.ifa_addr != NULL and face.ifa_addr.sa_family in (AF_INET, AF_INET6):
                family = face.ifa_addr.sa_family
                found.append((os.fsdecode(face.ifa_name), *_texts(face, family)))
            face = face.ifa_next
    finally:
        freeifaddrs(first)
    return found


cdef tuple _texts(const ifaddrs* face, int family):
    return (
        socket.inet_ntop(family, _address(face.ifa_addr, family)),
        socket.inet_ntop(family, _address(face.ifa_netmask, family)),
        socket.inet_ntop(family, _address(face.ifa_broadaddr, family)),
    )
