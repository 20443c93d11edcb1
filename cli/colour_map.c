/* colour_map.c - a curve through OKLab, walked in equal steps.
 *
 * [1] Ottosson, A perceptual color space for image processing, 2020 (OKLab and its matrices).
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/colour_map.h"

#include <math.h>
#include <stdbool.h>

#define N_FINE 4096

typedef struct OkLab {
    double l, a, b;
} OkLab;

static double encode(double linear)
{
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055; /* IEC 61966-2-1 */
}

/* Linear sRGB [1]; false outside of its cube. */
static bool to_rgb(double rgb[3], OkLab c)
{
    const double l = pow(c.l + 0.3963377774 * c.a + 0.2158037573 * c.b, 3);
    const double m = pow(c.l - 0.1055613458 * c.a - 0.0638541728 * c.b, 3);
    const double s = pow(c.l - 0.0894841775 * c.a - 1.2914855480 * c.b, 3);
    bool inside = true;

    rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
    for (int i = 0; i < 3; i++)
        inside = inside && rgb[i] >= 0 && rgb[i] <= 1;
    return inside;
}

/* t from 0 to 1: lightness rises evenly, the hue turns from violet over red to yellow, the colour is as strong as the curve
 * asks for and sRGB allows. */
static OkLab curve(double t)
{
    const double hue = (290 + 175 * t) * M_PI / 180, l = 0.03 + 0.94 * t;
    double low = 0, high = 0.21 * sin(M_PI * (0.04 + 0.86 * t)), rgb[3];

    if (to_rgb(rgb, (OkLab){l, high * cos(hue), high * sin(hue)}))
        low = high;
    for (int i = 0; i < 30 && low < high; i++) {
        const double middle = (low + high) / 2;

        if (to_rgb(rgb, (OkLab){l, middle * cos(hue), middle * sin(hue)}))
            low = middle;
        else
            high = middle;
    }
    return (OkLab){l, low * cos(hue), low * sin(hue)};
}

void colour_map_heat(PngColour colours[256])
{
    double walked[N_FINE + 1];
    OkLab last = curve(0);

    walked[0] = 0;
    for (int i = 1; i <= N_FINE; i++) {
        const OkLab c = curve((double)i / N_FINE);

        walked[i] = walked[i - 1] + sqrt((c.l - last.l) * (c.l - last.l) + (c.a - last.a) * (c.a - last.a) +
                                         (c.b - last.b) * (c.b - last.b));
        last = c;
    }
    for (int i = 0, k = 0; i < 256; i++) {
        double rgb[3];

        while (k < N_FINE && walked[k] < walked[N_FINE] * i / 255)
            k++;
        to_rgb(rgb, curve((double)k / N_FINE));
        colours[i] = (PngColour){(uint8_t)lround(255 * encode(fmax(0, rgb[0]))), (uint8_t)lround(255 * encode(fmax(0, rgb[1]))),
                                 (uint8_t)lround(255 * encode(fmax(0, rgb[2])))};
    }
}
