"""The peers that Debian has, set up as their manuals say for this work: nothing may be dropped."""

import os
import pathlib
import shutil
import subprocess

from harness import Missing, needed


class Rsyslog:
    def __init__(self, queue):
        self.name = f"rsyslog, {queue}"
        self.queue = 'queue.type="Disk" queue.filename="main"' if queue == "disk queue" else 'queue.type="LinkedList" queue.filename="main" queue.size="100000"'
        self.program = needed("rsyslogd", "rsyslog")
        self.environment = None

    def version(self):
        return subprocess.run([self.program, "-v"], capture_output=True, text=True).stdout.split("(")[0].strip()

    def _command(self, directory, inputs):
        (directory / "state").mkdir()
        (directory / "rsyslog.conf").write_text(f"""
global(workDirectory="{directory}/state" net.enableDNS="off")
main_queue({self.queue} queue.maxDiskSpace="20g" queue.timeoutEnqueue="2000000000")
template(name="line" type="string" string="%msg%\\n")
{inputs}
action(type="omfile" file="{directory}/out" template="line" asyncWriting="off" flushOnTXEnd="on")
""")
        return [self.program, "-n", "-i", str(directory / "pid"), "-f", str(directory / "rsyslog.conf")]

    def tail(self, log, directory):
        return self._command(directory, f'module(load="imfile")\ninput(type="imfile" file="{log}" tag="log" readMode="0")')

    def datagrams(self, port, directory):
        return self._command(
            directory, f'module(load="imudp" batchSize="128" threads="1")\ninput(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="64m")')


class SyslogNG:
    def __init__(self, reliable, unpacked):
        self.name = f"syslog-ng, {'reliable' if reliable else 'normal'} disk buffer"
        self.reliable = reliable
        program = shutil.which("syslog-ng", path=f"{unpacked}/usr/sbin" if unpacked else os.environ["PATH"] + ":/usr/sbin")
        if not program:
            raise Missing("""syslog-ng isn't there. Its package excludes rsyslog's, so it is unpacked beside it and given with --syslog-ng DIRECTORY:
    apt-get install libivykis0 libjson-c5 libnet1 && apt-get download syslog-ng-core && dpkg -x syslog-ng-core_*.deb DIRECTORY
Or leave it out with --without syslog-ng""")
        self.program = program
        self.environment = {**os.environ, "LD_LIBRARY_PATH": f"{unpacked}/usr/lib/syslog-ng"} if unpacked else None
        self.modules = ["--module-path", str(next(pathlib.Path(unpacked).glob("usr/lib/syslog-ng/3*")))] if unpacked else []

    def version(self):
        return subprocess.run([self.program, "-V"], capture_output=True, text=True, env=self.environment).stdout.splitlines()[0]

    def tail(self, log, directory):
        size = "mem-buf-size(67108864)" if self.reliable else "mem-buf-length(10000)"
        (directory / "syslog-ng.conf").write_text(f"""@version: 3.38
options {{ log-msg-size(65536); stats-freq(0); }};
source s {{ file("{log}" flags(no-parse) follow-freq(1)); }};
destination d {{ file("{directory}/out" template("$MSG\\n") disk-buffer({size} disk-buf-size(4294967296) reliable({"yes" if self.reliable else "no"}) dir("{directory}"))); }};
log {{ source(s); destination(d); flags(flow-control); }};
""")
        return [
            self.program, "-F", "--no-caps", *self.modules, "-f", str(directory / "syslog-ng.conf"), "-R", str(directory / "persist"), "-p", str(directory / "pid"), "-c",
            str(directory / "control")]


class Nginx:
    """Serves one file, with and without sendfile."""

    def __init__(self):
        self.program = needed("nginx", "nginx-light")

    def version(self):
        return subprocess.run([self.program, "-v"], capture_output=True, text=True).stderr.strip().replace("nginx version: ", "")

    def command(self, port, file, directory):
        (directory / "nginx.conf").write_text(f"""
worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/octet-stream;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{ listen 127.0.0.1:{port};
    location /copied/ {{ sendfile off; alias {file.parent}/; }}
    location /sendfile/ {{ sendfile on; alias {file.parent}/; }} }}
}}
""")
        return [self.program, "-c", str(directory / "nginx.conf"), "-p", str(directory), "-e", str(directory / "error.log")]
