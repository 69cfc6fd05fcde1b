"""The files of photographs: found, recognised, decoded as people see them."""
