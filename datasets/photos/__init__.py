"""The files of photographs: found, recognized, decoded as people see them."""
