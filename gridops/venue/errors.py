"""The venue's refusals as it words them on the wire. Sits under the core; it never decides when to refuse."""


class VenueError(Exception):
    """A refused call: HTTP status, the venue's numeric code and text, extra reply headers."""

    def __init__(self, code: int, message: str, *, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers: dict[str, str] = headers or {}

    def body(self) -> dict[str, object]:
        """The JSON body of the refusal."""
        return {"code": self.code, "msg": self.message}
