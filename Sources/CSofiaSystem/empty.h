/* The library is linked through this module; its headers are imported by CSofia. */
