#!/usr/bin/python3
"""An RTSP camera on 127.0.0.1 for tests: pictures and sound at /cam, live, with a login or none.

usage: rtsp-camera.py none|basic|digest USER PASSWORD PORT
Writes its port to standard output when it listens.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURES = (
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96"
)
SOUND = "audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1 pt=8"


def login(scheme, user, password):
    role = GstRtspServer.RTSPToken()
    role.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    if scheme == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), role)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, role)
    return auth


def main():
    scheme, user, password, port = sys.argv[1:5]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    media = GstRtspServer.RTSPMediaFactory()
    media.set_launch(f"( {PICTURES} {SOUND} )")
    # A pipeline a client: of a shared one GStreamer refuses a client the stream that the first did not take.
    media.set_shared(False)
    if scheme != "none":
        server.set_auth(login(scheme, user, password))
        allowed = GstRtspServer.RTSPPermissions()
        allowed.add_permission_for_role("viewer", "media.factory.access", True)
        allowed.add_permission_for_role("viewer", "media.factory.construct", True)
        media.set_permissions(allowed)
    server.get_mount_points().add_factory("/cam", media)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
