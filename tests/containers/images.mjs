// SPDX-License-Identifier: MIT
import { image, layerOf } from '../../tools/oci_image.mjs';
import { hostile, imageOf } from '../worker/support.mjs';

/** The images of the probes: one program; the same with a set-id twin. */
export const images = {
    plain: imageOf(hostile),
    root: image([layerOf([{ path: '/bin/hostile', data: hostile }, { path: '/bin/root', data: hostile, mode: 0o6755 }])], { Entrypoint: ['/bin/hostile'] }),
};
