"""MP4 as ISO/IEC 14496-12 and -15 have it: fragments while a part grows, one full `moov` when it is over."""
