"""Nets: images in, logits and end points out.

Functions, arguments and defaults are slim's, so that code written for slim runs. What
no command reaches is here as slim's public API: MobileNet's tables with group norm and
for detection, `vgg_b`, `vgg_d` and `vgg_e`, `conv_blocks.split_separable_conv2d`, and
options such as `output_stride`, `spatial_squeeze` and `use_bounded_activation`.
"""
