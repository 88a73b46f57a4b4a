// SafeTensors: the one weight format, read by memory map and written by rename.
