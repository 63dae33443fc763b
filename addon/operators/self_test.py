"""Whether the engine works, in one sentence."""

import time

import bpy

from kinflow.client import Job
from kinflow.errors import KinflowError

from .. import preferences, session
from ..engine import find, self_test
from .common import EngineJob, redraw_all

PRINTED = "It printed:"  # an engine's last words, too long for a panel


class KINFLOW_OT_self_test(EngineJob, bpy.types.Operator):
    """Start the engine, look for people in an empty picture and fit a body whose pose is known"""

    bl_idname = "kinflow.self_test"
    bl_label = "Self-Test"
    bl_options = {"REGISTER"}

    _search: Job | None = None
    _started = 0.0

    def send(self, context: bpy.types.Context) -> Job:
        self_test.said = ""
        self._started = time.monotonic()
        engine, device = session.engine(), preferences.get("device")
        # the engine takes one after the other: with the fit the search has ended too
        self._search = engine.submit("observe", photo=self_test.empty_photo(), device=device)
        return engine.submit(
            "fit",
            observations=[self_test.observation()],
            prior=preferences.get("prior"),
            device=device,
            losses=["ka"],
            mesh=False,
        )

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        try:
            self._search.result()
        except KinflowError as error:
            return self._fail(context, error)
        apart = self_test.apart(value[0])
        if apart > self_test.NEAR_ENOUGH:
            text = (
                "The engine answers, but its fit of a known body is wrong: "
                "install it again in the preferences, or send the diagnostics"
            )
            return self._say(context, "ERROR", text)
        seconds = time.monotonic() - self._started
        where = session.device().upper() or "this computer"
        text = f"All works: people are searched and bodies fitted, on {where}, in {seconds:.0f} s"
        return self._say(context, "INFO", text)

    def cancel(self, context: bpy.types.Context) -> None:
        session.engine().cancel(self._search)
        super().cancel(context)

    def _fail(self, context: bpy.types.Context, error: KinflowError) -> set[str]:
        super()._fail(context, error)
        if find.last_found(preferences.get("engine_python")).path is None:
            text = "There is no engine yet: press Install Engine in the add-on's preferences"
        else:
            said = " ".join(str(error).split(PRINTED)[0].split())
            text = f"The engine does not work. {said} Copy Diagnostics says more."
        self_test.said = text
        redraw_all(context)
        return {"CANCELLED"}

    def _say(self, context: bpy.types.Context, kind: str, text: str) -> set[str]:
        context.scene.kinflow.message = self_test.said = text
        self.report({kind}, text)
        redraw_all(context)
        return {"FINISHED"} if kind == "INFO" else {"CANCELLED"}
