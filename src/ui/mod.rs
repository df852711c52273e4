//! Frames to text, ANSI and PNG. Sees frames only.
