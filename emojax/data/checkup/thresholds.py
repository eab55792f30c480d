"""What a clip must be like: the doctor's limits, each with its reason.

A pair is (good, usable): a value at least as good as the first is good, at least as good as the
second usable, else not usable; None in place of the second: never worse than usable. Lengths named
*_at_512 are pixels of a picture 512 wide. "Three clips" are the broadcast recordings on which the
recipes of preprocessing were measured: 20, 50 and 71 s long, 512 x 512.
"""

from __future__ import annotations

import dataclasses

Limits = tuple[float, float | None]


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Limits of every check.

    Attributes:
      seconds: length of the clip. The field trains on 1 to 5 minutes; under 8 s there is neither a
        blink nor half of the sounds of a language.
      side: of the pictures, pixels. The field trains at 512; half of that still shows teeth.
      eye_distance: between the outer eye corners, pixels. Lids of 60 px apart eyes open by 5 px.
      tracked: share of the pictures with a pose. Others do not train.
      lost_seconds: longest stretch without a face.
      several_faces: share of pictures with a second large face. A tracker may jump to it.
      cuts: jump cuts. They are respected, but each costs continuity of head and light.
      yaw: 99th percentile of the turn to a side, degrees. Landmarks are made for frontal faces;
        past 45 the far eye is hidden.
      angle_jitter: usual second difference of the head's angles, degrees. Tracks of the three clips
        have 0.02 to 0.06, perspective-n-point of each frame 0.3.
      distance_jitter: usual second difference of the logarithm of the head's distance. The three
        clips have 1e-4; 2e-3 without temporal prior is a face that pulses by half a pixel.
      pose_residual_at_512: median distance of rigid landmarks from one rigid head under the given
        poses; the three clips have 0.4.
      landmark_jitter_at_512: usual second difference of rigid landmarks, true motion included; the
        three clips have 0.4 to 0.6 after fusion with optical flow, dlib of each frame 1.2 to 1.5.
      odd_faces: share of landmark sets that are no upright face in the picture.
      principal: principal point from the middle of the picture, as a share of the width. More
        means that pictures were scaled or cropped after tracking.
      mouth_range: 98th less 2nd percentile of the lip gap in outer eye distances; the three clips
        have 0.05 to 0.13, closed lips 0.01 of noise.
      blinks: a minute, least and most that are credible. People blink 4 to 40 times.
      sharpness: variance of the Laplacian over the variance, of the face scaled to eyes 100 px
        apart. The three clips have 0.14 to 0.17, blurred by 1 px 0.045, by 2 px 0.011.
      blurred: share of pictures with less than half of the usual sharpness.
      face_luminance: mean grey level of the face, lowest and highest good, lowest and highest
        usable.
      clipped: share of the face's pixels that are black or white.
      flicker: usual frame-to-frame change of the picture's brightness besides its trend, grey
        levels; the three clips have 0.1.
      background_motion: usual deviation of background pixels from their median over a shot, grey
        levels. One picture stands for the background: the rest becomes halo.
      background_error: mean difference of `bc.jpg` from the background seen, grey levels.
      duplicates: share of pictures equal to the one before. 24 fps made 25 has 4 %.
      frozen_seconds: longest stretch of equal pictures.
      mask_changed: share of pixels whose label changes from one picture to the next after motion is
        taken out; a video model reaches 0.003, single pictures 0.005 to 0.045.
      face_covered: share of the landmarks' hull that the masks call head.
      mouth_seen: share of the pictures with open lips in which the masks show the inside of the
        mouth.
      torso_covered: share of neck and torso pixels that `torso_imgs` has.
      sound_rate: samples a second. The field's tools take 16 kHz for granted; telephone sound at
        8 kHz lacks s and f.
      sound_difference: of the lengths of sound and pictures, seconds. Codecs add 0.05 s; a wrong
        frame rate makes it grow.
      silence: share of silent frames, 30 dB below the loud ones.
      level: loudness of the loud frames, dB of full scale. Quiet speech has the noise of the room.
      sound_clipped: share of samples in flat tops.
      sounds: effective number of different spectra, of `sound.variety`. Speech of 12 s has
        49 to 110, the three clips 75 to 79, one held vowel, a tone or noise 2 to 4.
      sync_lag: of the lips behind the sound, frames. ITU-R BT.1359: from 90 ms early to 185 ms late
        is accepted.
      sync_clarity: standard deviations by which the best lag's correlation exceeds those of absurd
        lags. The three clips have 6.5 to 10, sound of another clip 3 at most.
      clarity_seconds: shorter clips are not blamed for an unclear lag: true pairs of 12 s reach
        2.3.
      feature_lag: of features behind the sound, frames.
      unit_lag: of AU25 behind the lips, frames.
      unit_agreement: correlation of AU25 with the lip gap.
      blink_agreement: correlation of AU45 with the lids.
      unit_failures: share of rows of `au.csv` marked as failed.
      source_fps: deviation of the source's frame rate from a multiple of 25, as a share. Others are
        resampled: motion becomes uneven.
      source_lengths: pictures or sound of the source that are not used, since the other ended or
        began elsewhere, seconds. Recorders stop them apart by less than one.
      source_sound_rate: samples a second of the source. Resampling to 16 kHz brings nothing back.
      source_size: side of the square cut from the source over that of the pictures. Enlarging by
        more than 1.4 shows; 128 pixels made 512 are the least that shows teeth.
    """

    seconds: Limits = (60.0, 8.0)
    side: Limits = (256, 128)
    eye_distance: Limits = (55.0, 25.0)
    tracked: Limits = (0.98, 0.8)
    lost_seconds: Limits = (0.4, 10.0)
    several_faces: Limits = (0.01, None)
    cuts: Limits = (0, None)
    yaw: Limits = (30.0, 45.0)
    angle_jitter: Limits = (0.2, 1.0)
    distance_jitter: Limits = (1e-3, 1e-2)
    pose_residual_at_512: Limits = (1.5, 4.0)
    landmark_jitter_at_512: Limits = (1.0, 4.0)
    odd_faces: Limits = (0.0, 0.02)
    principal: Limits = (0.01, 0.1)
    mouth_range: Limits = (0.04, 0.015)
    blinks: tuple[float, float] = (2.0, 60.0)
    sharpness: Limits = (0.04, 0.006)
    blurred: Limits = (0.05, 0.3)
    face_luminance: tuple[float, float, float, float] = (60.0, 210.0, 30.0, 235.0)
    clipped: Limits = (0.03, 0.2)
    flicker: Limits = (0.8, 6.0)
    background_motion: Limits = (4.0, 15.0)
    background_error: Limits = (8.0, 30.0)
    duplicates: Limits = (0.02, 0.2)
    frozen_seconds: Limits = (0.2, 2.0)
    mask_changed: Limits = (0.008, 0.05)
    face_covered: Limits = (0.9, 0.7)
    mouth_seen: Limits = (0.7, None)
    torso_covered: Limits = (0.9, 0.5)
    sound_rate: Limits = (16000, 8000)
    sound_difference: Limits = (0.12, 1.0)
    silence: Limits = (0.5, 0.85)
    level: Limits = (-32.0, -55.0)
    sound_clipped: Limits = (1e-3, 2e-2)
    sounds: Limits = (25.0, 8.0)
    sync_lag: Limits = (3, 5)
    sync_clarity: Limits = (4.5, 3.2)
    clarity_seconds: float = 15.0
    feature_lag: Limits = (1, 3)
    unit_lag: Limits = (1, 4)
    unit_agreement: Limits = (0.5, 0.2)
    blink_agreement: Limits = (0.3, None)
    unit_failures: Limits = (0.02, 0.2)
    source_fps: Limits = (0.002, None)
    source_lengths: Limits = (1.0, None)
    source_sound_rate: Limits = (16000, 8000)
    source_size: Limits = (0.7, 0.25)
