"""A real HDFS of one name node and one data node on loopback, with WebHDFS."""

import glob
import os
import urllib.request

from endpoints import free_port
from harness import Failure

# Hadoop's server classes come with an old PySpark; on a newer Java they run with Debian's Jersey 1 and JAXB. `Tests/run --full` installs both.
JARS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".build", "test-hadoop", "lib", "python3*", "site-packages", "pyspark", "jars")
DEBIAN_JARS = ("jersey1-core", "jersey1-server", "jersey1-servlet", "jersey1-json", "jsr311-api", "jaxb-api", "jaxb-impl", "jaxb-runtime", "jaxb-core", "asm")


class HDFS:
    """It is up when this returns, and goes with the test."""

    def __init__(self, t):
        self.t = t
        jars = glob.glob(JARS)
        if not jars:
            raise Failure("this test needs Hadoop's classes in .build/test-hadoop; 'Tests/run --full' installs them")
        self.port = free_port()
        folder = t.path("hdfs")
        for part in ("nn", "dn", "webapps/hdfs/WEB-INF", "webapps/datanode/WEB-INF"):
            os.makedirs(os.path.join(folder, part))
        for part in ("hdfs", "datanode"):
            t.write(f"hdfs/webapps/{part}/WEB-INF/web.xml", "<web-app/>")
        self._settings("core-site", {"fs.defaultFS": f"hdfs://127.0.0.1:{free_port()}", "hadoop.tmp.dir": os.path.join(folder, "tmp")})
        self._settings("hdfs-site", {
            "dfs.namenode.name.dir": f"file://{folder}/nn", "dfs.datanode.data.dir": f"file://{folder}/dn", "dfs.replication": 1,
            "dfs.webhdfs.enabled": "true", "dfs.permissions.enabled": "false", "dfs.namenode.http-address": f"127.0.0.1:{self.port}",
            "dfs.datanode.address": f"127.0.0.1:{free_port()}", "dfs.datanode.http.address": f"127.0.0.1:{free_port()}",
            "dfs.datanode.ipc.address": f"127.0.0.1:{free_port()}", "dfs.datanode.hostname": "127.0.0.1"})
        t.write("hdfs/conf/log4j.properties", """
log4j.rootLogger=INFO,c
log4j.appender.c=org.apache.log4j.ConsoleAppender
log4j.appender.c.layout=org.apache.log4j.PatternLayout
log4j.appender.c.layout.ConversionPattern=%d %p %c{2}: %m%n
""")
        debian = [path for path in (f"/usr/share/java/{name}.jar" for name in DEBIAN_JARS) if os.path.exists(path)]
        opens = [part for name in ("java.lang", "java.lang.reflect", "java.nio", "java.util", "java.io", "sun.nio.ch")
                 for part in ("--add-opens", f"java.base/{name}=ALL-UNNAMED")]
        self._java = [
            t.program("java"), *opens, "--add-opens", "java.security.jgss/sun.security.krb5=ALL-UNNAMED", "-Xmx256m", "-cp",
            ":".join([os.path.join(folder, "conf"), folder, os.path.join(jars[0], "*"), *debian])]
        t.call(*self._java, "org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive")
        node = t.start(*self._java, "org.apache.hadoop.hdfs.server.namenode.NameNode", label="namenode")
        data = t.start(*self._java, "org.apache.hadoop.hdfs.server.datanode.DataNode", label="datanode")
        t.until("HDFS to be up", self._is_up, seconds=90, alive=[node, data])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/webhdfs/v1"

    def read(self, path):
        """A file's bytes."""
        return urllib.request.urlopen(f"{self.url}{path}?op=OPEN", timeout=60).read()

    def list(self, path):
        """A folder's names."""
        import requests

        return [one["pathSuffix"] for one in requests.get(f"{self.url}{path}?op=LISTSTATUS", timeout=60).json()["FileStatuses"]["FileStatus"]]

    def _settings(self, name, values):
        properties = "".join(f"<property><name>{key}</name><value>{value}</value></property>" for key, value in values.items())
        self.t.write(f"hdfs/conf/{name}.xml", f"<configuration>{properties}</configuration>")

    def _is_up(self):
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState", timeout=5).read()
        except OSError:
            return False
        return b'"NumLiveDataNodes" : 1' in page
