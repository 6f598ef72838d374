#!/bin/bash
# A dozen and a half steps as attackers take them, harmless: in a mount namespace of its own, where the
# folders that it writes to are empty file systems of their own; network only on 127.0.0.1.
#
#   attack.sh FOLDER PYTHON
set -u
cd "$1" || exit 1
python=$2

mount --make-rprivate /
for folder in /root /tmp /var/log /etc/cron.d /home /mnt; do
    mount -t tmpfs none "$folder" || exit 1
done
echo '* * * * * root true' >/etc/cron.d/job                    # T1053.003 scheduled job
cat /etc/shadow >/dev/null                                      # T1003.008 password hashes
mkdir -p /root/.ssh
echo 'ssh-ed25519 AAAA somebody' >>/root/.ssh/authorized_keys   # T1098.004 login key
echo 'true' >>/root/.bashrc                                     # T1546.004 shell start-up file
echo secret >/root/.ssh/id_rsa
cat /root/.ssh/id_rsa >/dev/null                                # T1552.004 private key
find / -xdev -maxdepth 2 -name id_rsa >/dev/null 2>&1           # search for private keys
find /usr/bin -maxdepth 1 -perm -4000 >/dev/null 2>&1           # T1548.001 setuid programs
echo log >/var/log/auth.log
rm /var/log/auth.log                                            # T1070.002 log removed
echo history >/root/.bash_history
rm /root/.bash_history                                          # T1070.003 history removed
cp /bin/true /tmp/dropped
chmod u+s /tmp/dropped                                          # setuid bit
/tmp/dropped                                                    # T1059 from /tmp
echo 'echo done' | base64 | base64 -d | bash >/dev/null         # T1027 encoded command
cp /bin/true "/tmp/.hidden"
/tmp/.hidden
"$python" - <<'PY'
import ctypes, os, socket, subprocess, sys

# T1620 a program run from memory
fd = os.memfd_create("payload")
with open("/bin/true", "rb") as program:
    os.write(fd, program.read())
subprocess.run([f"/proc/self/fd/{fd}"], pass_fds=[fd], check=True)

# T1059.004 a shell on a network connection, of this machine with itself
server = socket.create_server(("127.0.0.1", 0))
child = os.fork()
if child == 0:
    client = socket.create_connection(server.getsockname())
    for number in range(3):
        os.dup2(client.fileno(), number)
    os.execv("/bin/bash", ["bash", "-i"])
taken, _ = server.accept()
taken.sendall(b"id\nexit\n")
while taken.recv(4096):
    pass
os.waitpid(child, 0)

# T1055.008 a process attached to another one
child = os.fork()
if child == 0:
    os.execv("/bin/sleep", ["sleep", "30"])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace(16, child, 0, 0)
os.waitpid(child, 0)
libc.ptrace(17, child, 0, 0)
os.kill(child, 9)
os.waitpid(child, 0)

# T1611 into the namespace of another process
libc.setns(os.open("/proc/self/ns/uts", os.O_RDONLY), 0)

# T1548 another user, and back by nothing
child = os.fork()
if child == 0:
    os.setgid(65534)
    os.setuid(65534)
    os.execv("/bin/true", ["true"])
os.waitpid(child, 0)
PY
ln -s /etc/shadow /tmp/link
cat /tmp/link >/dev/null
mkdir -p /tmp/root/bin
chroot /tmp/root /bin/true 2>/dev/null                          # a root of its own
unshare --user --map-root-user true                             # T1611 user namespace
tar cf /tmp/loot.tar /root/.ssh 2>/dev/null                     # T1560 archive
true >/dev/tcp/127.0.0.1/9 2>/dev/null                          # a refused connection
exit 0
