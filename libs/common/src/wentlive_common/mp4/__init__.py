"""MP4 as ISO/IEC 14496-12 has it, as far as more than one service writes it: boxes, sample tables, the `moov`."""
