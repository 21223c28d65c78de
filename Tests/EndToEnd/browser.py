"""Chromium without a window, driven by the DevTools protocol: what a page shows, does, asks for and complains of."""

import base64
import json
import os
import pathlib
import threading

from harness import Failure


class Browser:
    """A browser of the test's own."""

    def __init__(self, t):
        import websocket

        self.t = t
        self._connect = lambda path: websocket.create_connection(f"ws://127.0.0.1:{self.port}{path}", suppress_origin=True, timeout=60, enable_multithread=True)
        profile = t.path("chromium")
        self.process = t.start(
            t.program("chromium"), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
            "--remote-debugging-port=0", "about:blank", label="chromium", env=os.environ | {"HOME": t.directory})
        port = os.path.join(profile, "DevToolsActivePort")
        found = t.until("Chromium to listen", lambda: os.path.exists(port) and pathlib.Path(port).read_text().split(), alive=self.process)
        self.port = int(found[0])
        self._browser = Connection(self._connect(found[1]))

    def page(self, url, width=1440, height=900, scheme="dark", mobile=False, reduced_motion=True):
        """A page of that size, with what its reader prefers."""
        target = self._browser.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self.t, Connection(self._connect(f"/devtools/page/{target}")))
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        page.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}])
        page.call("Page.navigate", url=url)
        page.until(f"{url} to be loaded", f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
        return page


class Connection:
    """Calls and events of one target."""

    def __init__(self, socket):
        self._socket = socket
        self._lock = threading.Condition()
        self._answers = {}
        self._number = 0
        self.events = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                message = json.loads(self._socket.recv())
            except Exception:  # The browser has ended.
                message = None
            with self._lock:
                if message is None:
                    self._answers = None
                elif "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.events.append(message)
                self._lock.notify_all()
            if message is None:
                return

    def call(self, method, **parameters):
        with self._lock:
            self._number += 1
            number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        with self._lock:
            if not self._lock.wait_for(lambda: self._answers is None or number in self._answers, timeout=60):
                raise Failure(f"Chromium doesn't answer {method}")
            if self._answers is None:
                raise Failure(f"Chromium ended during {method}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']}")
        return answer["result"]


class Page:
    """A page in the browser."""

    KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}

    def __init__(self, t, connection):
        self.t = t
        self._connection = connection
        self.call = connection.call

    def evaluate(self, expression):
        """What an expression gives; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise Failure(f"{expression[:200]}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def text(self, selector):
        """What an element says; None when it isn't there or not shown."""
        return self.evaluate(f"(e => e && e.checkVisibility() ? e.innerText.trim() : null)(document.querySelector({json.dumps(selector)}))")

    def until(self, what, expression, seconds=60):
        """Waits until an expression is true, and gives its value."""
        return self.t.until(what, lambda: self.evaluate(expression), seconds)

    def until_text(self, selector, part):
        self.t.until(f"{part!r} in {selector}", lambda: part in (self.text(selector) or ""))

    def key(self, name, modifiers=0):
        """Presses a key and lets it go."""
        code = self.KEYS[name]
        text = {"Enter": "\r", " ": " "}.get(name, "")
        common = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def focused(self):
        """What has the focus, by its id, its label or its text."""
        return self.evaluate("(e => e.id || e.getAttribute('aria-label') || e.innerText)(document.activeElement)")

    def tab_to(self, name):
        """Moves the focus by the Tab key alone until it is at what `focused` gives as `name`."""
        seen = []
        for _ in range(100):
            self.key("Tab")
            seen.append(self.focused())
            if seen[-1] == name:
                return
        raise Failure(f"the Tab key doesn't lead to {name!r}, but to {seen}")

    def picture(self, name):
        """What it looks like, in a file of the test's directory, or of the one that SLUICE_PICTURES names."""
        directory = os.environ.get("SLUICE_PICTURES") or self.t.directory
        path = os.path.join(directory, f"{name}.png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        return path

    @property
    def requests(self):
        """The URLs that it asked for."""
        return [event["params"]["request"]["url"] for event in list(self._connection.events) if event["method"] == "Network.requestWillBeSent"]

    @property
    def complaints(self):
        """Errors and warnings of its console, as (where from, text)."""
        found = []
        for event in list(self._connection.events):
            parameters = event["params"]
            if event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append((parameters["entry"]["source"], parameters["entry"]["text"]))
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(("exception", parameters["exceptionDetails"].get("exception", {}).get("description", "")))
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                found.append(("console", str(parameters["args"])))
        return found

    def accessibility(self):
        """What axe-core finds wrong, a line each."""
        import axe_playwright_python

        script = pathlib.Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
        # Not as an element of the page: its policy lets none in.
        self.call("Runtime.evaluate", expression=script)
        found = self.evaluate("axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map("
                              "one => `${one.id} (${one.impact}): ${one.nodes.map(node => node.html.slice(0, 160) + ' ' + node.failureSummary).join('; ')}`))")
        return found
