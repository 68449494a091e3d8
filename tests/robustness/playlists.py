"""Files that refer to other files or addresses."""

from __future__ import annotations


def references(address: str) -> dict[str, str]:
    """Return playlists and media descriptions of every kind that refer to an address."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n",
        "hls master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n",
        "hls key": f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{address}"\n#EXTINF:1,\n'
        f"{address}\n#EXT-X-ENDLIST\n",
        "hls map": f'#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MAP:URI="{address}"\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n',
        "concat": f"ffconcat version 1.0\nfile '{address}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="0" '
        f'bandwidth="1"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "smil": f'<smil><body><video src="{address}"/></body></smil>',
        "asx": f'<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
        "pls": f"[playlist]\nFile1={address}\nNumberOfEntries=1\n",
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{address}"/></svg>',
        "bare": address,
    }


def session(port: int) -> str:
    """Return a session description (SDP), which makes its reader listen on a UDP port."""
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    )


def addresses(tcp: int, udp: int, canary: str) -> dict[str, str]:
    """Return several spellings of the address of a local port or file."""
    return {
        "http": f"http://127.0.0.1:{tcp}/clip.mp4",
        "tcp": f"tcp://127.0.0.1:{tcp}",
        "rtsp": f"rtsp://127.0.0.1:{tcp}/clip",
        "rtmp": f"rtmp://127.0.0.1:{tcp}/clip",
        "udp": f"udp://127.0.0.1:{udp}?localport={udp}",
        "rtp": f"rtp://127.0.0.1:{udp}",
        "file": f"file://{canary}",
        "path": canary,
        "relative": f"../../../../../../../../..{canary}",
        "concat protocol": f"concat:{canary}|{canary}",
        "subfile": f"subfile,,start,0,end,0,,:{canary}",
        "crypto over file": f"crypto+file://{canary}",
        "crypto over http": f"crypto+http://127.0.0.1:{tcp}/clip.mp4",
        "cache": f"cache:{canary}",
        "async": f"async:{canary}",
        "pipe": "pipe:0",
        "data": "data:video/mp4;base64,AAAAHGZ0eXBpc29t",
    }
