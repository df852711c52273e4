//! A frame as a PNG picture.
//!
//! The pixels are those of the [raster](super::raster), one to one; the shape of a pixel is given by the
//! `pHYs` chunk (PNG specification, 11.3.4.3), for viewers that honour it.

use ::png::{BitDepth, ColorType, Encoder, EncodingError, PixelDimensions, Unit};

use crate::devices::frame::Frame;

use super::raster::Raster;

/// The bytes of a PNG file that shows `frame`. Fails for a frame without any pixel.
pub fn encode(frame: &Frame) -> Result<Vec<u8>, EncodingError> {
    let raster = Raster::of(frame);
    let side = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side(raster.width), side(raster.height));
    encoder.set_depth(BitDepth::Eight);
    let data = match &raster.direct {
        Some(colours) => {
            encoder.set_color(ColorType::Rgb);
            colours.concat()
        }
        None => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(raster.palette.concat());
            raster.pixels
        }
    };
    // A narrow pixel means more of them to the unit.
    let (xppu, yppu) = (raster.pixel_aspect.1, raster.pixel_aspect.0);
    encoder.set_pixel_dims(Some(PixelDimensions { xppu, yppu, unit: Unit::Unspecified }));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&data)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::devices::frame::{Cell, TextFrame};

    #[test]
    fn the_picture_decodes_to_the_raster() {
        let cells = (0..256).map(|n| Cell { character: n as u8, attribute: (n * 7) as u8 });
        let frame = Frame::Text(TextFrame::new(32, 8, cells.collect()));
        let raster = Raster::of(&frame);
        let file = encode(&frame).unwrap();
        let mut decoder = ::png::Decoder::new(Cursor::new(file));
        decoder.set_transformations(::png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let info = reader.info();
        assert_eq!((info.width, info.height), (288, 128));
        assert_eq!(info.palette.as_deref(), Some(raster.palette.concat().as_slice()));
        assert_eq!(info.pixel_dims.map(|dims| (dims.xppu, dims.yppu)), Some((27, 20)));
        assert_eq!(pixels, raster.pixels);
    }

    #[test]
    fn a_frame_without_pixels_is_an_error() {
        assert!(encode(&Frame::Text(TextFrame::new(0, 0, vec![]))).is_err());
    }
}
