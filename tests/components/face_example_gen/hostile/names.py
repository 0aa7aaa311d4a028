"""Names that files may have."""

from hypothesis import strategies as st

PARTS = st.sampled_from(
    ["..", ".", "", "/", "\\", "C:", "~", ".hidden", "__MACOSX", "a", "é", "e\u0301", "\0",
     "\u202e", "\n", "\x1b[31m", "\r", "20_1_2_x.jpg", "20_1_2", "116_0_4_", "9999_1_1", "-1_0_0",
     "_", "'", "[bold]", "%s", "🙂" * 50, "x" * 300, "1_1_1_" + "9" * 5000]
)  # fmt: skip
NAMES = st.one_of(
    st.lists(PARTS, min_size=1, max_size=5).map("/".join),
    st.lists(PARTS, min_size=1, max_size=4).map("".join),
    st.text(max_size=40),
    st.integers(0, 116).map(lambda age: f"{age}_{age % 2}_{age % 5}_20170116174525125.jpg"),
)
