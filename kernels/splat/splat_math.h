// The arithmetic of splatting: one Gaussian, one (tile, Gaussian) pair, one (pixel, Gaussian) pair.
//
// Everything here is a template over its number type, so the same lines serve a float and a double,
// sixteen Gaussians at once (Row, simd.h) and, with EMOJAX_HD defined by the CUDA build, a thread
// of a GPU. The readable twin is emojax/splatting/project.py and rasterize.py; names are the same.
//
// Frames: camera space is x right, y down, z forward; pixel centres lie at half integers.
// Symbols: m mean, u unit quaternion, R rotation, s scales, W camera rotation, t translation,
//   p = W m + t, J Jacobian of the projection at p, L = W R diag(s), F = J L (2 x 3), so that
//   F F^T is the projected covariance; S = F F^T + dilation I; conic (a, b, c) = S^-1.
// Sources: EWA splatting, Zwicker et al. 2002; 3D Gaussian Splatting, Kerbl et al. 2023, sec. 4-6.
#pragma once

#include <cmath>

#include "constants.h"

#ifndef EMOJAX_HD
#define EMOJAX_HD inline
#endif

namespace emojax {

// ---- Scalars behave like rows of one ----------------------------------------------------------
EMOJAX_HD float Select(bool mask, float a, float b) { return mask ? a : b; }
EMOJAX_HD double Select(bool mask, double a, double b) { return mask ? a : b; }
EMOJAX_HD float Min(float a, float b) { return a < b ? a : b; }
EMOJAX_HD double Min(double a, double b) { return a < b ? a : b; }
EMOJAX_HD float Max(float a, float b) { return a > b ? a : b; }
EMOJAX_HD double Max(double a, double b) { return a > b ? a : b; }
EMOJAX_HD float Sqrt(float a) { return sqrtf(a); }
EMOJAX_HD double Sqrt(double a) { return sqrt(a); }
EMOJAX_HD float Abs(float a) { return fabsf(a); }
EMOJAX_HD double Abs(double a) { return fabs(a); }

template <class R>
EMOJAX_HD R Sq(R a) {
  return a * a;
}

// ---- Types ------------------------------------------------------------------------------------

// One camera and the options of a pass. T: float or double.
template <class T>
struct View {
  T rotation[9];     // W, row major
  T translation[3];  // t
  T fx, fy, cx, cy;  // pixels
  int width, height;
  T near_plane, far_plane;
  T dilation;   // added to both variances, square pixels
  T alpha_max;  // cap of one Gaussian's alpha
  bool antialias;

  // Largest and smallest x/z (y/z) at which the Jacobian is taken: the picture and a margin.
  EMOJAX_HD T XMin() const { return -(cx + T(kFovMargin) * width) / fx; }
  EMOJAX_HD T XMax() const { return (width - cx + T(kFovMargin) * width) / fx; }
  EMOJAX_HD T YMin() const { return -(cy + T(kFovMargin) * height) / fy; }
  EMOJAX_HD T YMax() const { return (height - cy + T(kFovMargin) * height) / fy; }
};

// R: float, double or a Row of either.
template <class R>
struct Gaussian {
  R mean[3];
  R quaternion[4];  // w, x, y, z
  R scale[3];
  R opacity;
};

// A Gaussian on the screen.
template <class R>
struct Splat {
  R x, y;                // mean, pixels
  R a, b, c;             // conic: a dx^2 + 2 b dx dy + c dy^2
  R opacity;             // with the antialiasing factor, where asked for
  R depth;               // camera-space z
  R extent_x, extent_y;  // half size of the region where alpha >= kAlphaMin, pixels
};

// What the projection and its derivative share.
template <class R>
struct Projection {
  R p[3];           // camera space
  R unit[4];        // u
  R inverse_norm;   // 1 / |q|
  R rot[9];         // R(u), row major
  R l[9];           // L = W R diag(s)
  R f[6];           // F = J L
  R tx, ty;         // x/z and y/z, clamped, where the Jacobian is taken
  R s00, s01, s11;  // S
  R det, det0;      // of S and of F F^T
  R compensation;   // sqrt(det0 / det), at least kCompensationMin
};

template <class R, class T>
EMOJAX_HD Projection<R> ProjectionOf(const View<T>& view, const Gaussian<R>& g) {
  Projection<R> o;
  const R w = g.quaternion[0], x = g.quaternion[1], y = g.quaternion[2], z = g.quaternion[3];
  o.inverse_norm = R(T(1)) / Sqrt(w * w + x * x + y * y + z * z);
  const R qw = w * o.inverse_norm, qx = x * o.inverse_norm, qy = y * o.inverse_norm,
          qz = z * o.inverse_norm;
  o.unit[0] = qw;
  o.unit[1] = qx;
  o.unit[2] = qy;
  o.unit[3] = qz;
  const R one = R(T(1)), two = R(T(2));
  o.rot[0] = one - two * (qy * qy + qz * qz);
  o.rot[1] = two * (qx * qy - qw * qz);
  o.rot[2] = two * (qx * qz + qw * qy);
  o.rot[3] = two * (qx * qy + qw * qz);
  o.rot[4] = one - two * (qx * qx + qz * qz);
  o.rot[5] = two * (qy * qz - qw * qx);
  o.rot[6] = two * (qx * qz - qw * qy);
  o.rot[7] = two * (qy * qz + qw * qx);
  o.rot[8] = one - two * (qx * qx + qy * qy);
  for (int i = 0; i < 3; ++i) {
    const T* row = view.rotation + 3 * i;
    o.p[i] = R(row[0]) * g.mean[0] + R(row[1]) * g.mean[1] + R(row[2]) * g.mean[2] +
             R(view.translation[i]);
    for (int j = 0; j < 3; ++j) {
      o.l[3 * i + j] =
          (R(row[0]) * o.rot[j] + R(row[1]) * o.rot[3 + j] + R(row[2]) * o.rot[6 + j]) * g.scale[j];
    }
  }
  const R inverse_z = one / o.p[2];
  o.tx = Min(Max(o.p[0] * inverse_z, R(view.XMin())), R(view.XMax()));
  o.ty = Min(Max(o.p[1] * inverse_z, R(view.YMin())), R(view.YMax()));
  const R jx = R(view.fx) * inverse_z, jy = R(view.fy) * inverse_z;
  for (int j = 0; j < 3; ++j) {
    o.f[j] = jx * (o.l[j] - o.tx * o.l[6 + j]);
    o.f[3 + j] = jy * (o.l[3 + j] - o.ty * o.l[6 + j]);
  }
  const R* f = o.f;
  const R f00 = f[0] * f[0] + f[1] * f[1] + f[2] * f[2];
  const R f11 = f[3] * f[3] + f[4] * f[4] + f[5] * f[5];
  o.s01 = f[0] * f[3] + f[1] * f[4] + f[2] * f[5];
  o.s00 = f00 + R(view.dilation);
  o.s11 = f11 + R(view.dilation);
  // det(F F^T) = |F_0 x F_1|^2: a sum of squares, where f00 f11 - f01^2 would cancel for needles.
  o.det0 =
      Sq(f[1] * f[5] - f[2] * f[4]) + Sq(f[2] * f[3] - f[0] * f[5]) + Sq(f[0] * f[4] - f[1] * f[3]);
  o.det = o.det0 + R(view.dilation) * (f00 + f11 + R(view.dilation));
  o.compensation = Max(Sqrt(o.det0 / o.det), R(T(kCompensationMin)));
  return o;
}

// The splat of a projected Gaussian. The extents stay to the caller, who has the logarithm:
// extent = sqrt(2 ln(opacity / kAlphaMin) * variance), variances s00 and s11.
template <class R, class T>
EMOJAX_HD Splat<R> SplatOf(const View<T>& view, const Gaussian<R>& g, const Projection<R>& o) {
  Splat<R> splat;
  const R inverse_z = R(T(1)) / o.p[2];
  splat.x = R(view.fx) * o.p[0] * inverse_z + R(view.cx);
  splat.y = R(view.fy) * o.p[1] * inverse_z + R(view.cy);
  const R inverse_det = R(T(1)) / o.det;
  splat.a = o.s11 * inverse_det;
  splat.b = -o.s01 * inverse_det;
  splat.c = o.s00 * inverse_det;
  splat.opacity = view.antialias ? g.opacity * o.compensation : g.opacity;
  splat.depth = o.p[2];
  splat.extent_x = R(T(0));
  splat.extent_y = R(T(0));
  return splat;
}

// Cotangents of a splat: of its fields, but for the conic that of S itself, as a symmetric matrix.
// d sigma = -(y^T dS y) / 2 with y = conic (dx, dy), which is small where a needle's dx and dy are
// not: sums of y y^T keep the digits that turning a conic's cotangent into one of S would lose.
template <class R>
struct SplatCotangent {
  R x, y, s00, s01, s11, opacity, depth;
};

template <class R>
struct GaussianCotangent {
  R mean[3], quaternion[4], scale[3], opacity;
};

template <class R>
struct ViewCotangent {
  R rotation[9], translation[3], fx, fy, cx, cy;
};

// The derivative of ProjectionOf followed by SplatOf, transposed.
template <class R, class T>
EMOJAX_HD void ProjectTransposed(const View<T>& view, const Gaussian<R>& g, const Projection<R>& o,
                                 const SplatCotangent<R>& d, GaussianCotangent<R>* dg,
                                 ViewCotangent<R>* dv) {
  const R zero = R(T(0)), one = R(T(1)), two = R(T(2));
  const R inverse_det = one / o.det;

  R s00 = d.s00, s01 = d.s01, s11 = d.s11;
  dg->opacity = d.opacity;
  if (view.antialias) {
    // rho^2 = det0 / det, so d rho^2 / dS = Q (1 - rho^2) - dilation det(Q) I.
    const R rho = o.compensation;
    const R active = Select(o.det0 > R(T(kCompensationMin * kCompensationMin)) * o.det, one, zero);
    const R d_rho = active * d.opacity * g.opacity / (two * rho);
    const R keep = d_rho * (one - rho * rho) * inverse_det;
    const R shrink = d_rho * R(view.dilation) * inverse_det;
    s00 += keep * o.s11 - shrink;
    s01 += -keep * o.s01;
    s11 += keep * o.s00 - shrink;
    dg->opacity = d.opacity * rho;
  }

  // F, then J and L.
  R df[6];
  for (int j = 0; j < 3; ++j) {
    df[j] = two * (s00 * o.f[j] + s01 * o.f[3 + j]);
    df[3 + j] = two * (s01 * o.f[j] + s11 * o.f[3 + j]);
  }
  const R inverse_z = one / o.p[2];
  const R jx = R(view.fx) * inverse_z, jy = R(view.fy) * inverse_z;
  R dj00 = zero, dj02 = zero, dj11 = zero, dj12 = zero, dl[9];
  for (int j = 0; j < 3; ++j) {
    dj00 += df[j] * o.l[j];
    dj02 += df[j] * o.l[6 + j];
    dj11 += df[3 + j] * o.l[3 + j];
    dj12 += df[3 + j] * o.l[6 + j];
    dl[j] = jx * df[j];
    dl[3 + j] = jy * df[3 + j];
    dl[6 + j] = -(jx * o.tx * df[j] + jy * o.ty * df[3 + j]);
  }

  // J00 = fx / z and J02 = -fx tx / z with tx = clip(x / z); likewise in y. Where x / z is clipped,
  // fx tx does not depend on fx (the bound is a pixel) and moves with cx instead.
  const R x_z = o.p[0] * inverse_z, y_z = o.p[1] * inverse_z;
  const R free_x = Select((x_z > R(view.XMin())) & (x_z < R(view.XMax())), one, zero);
  const R free_y = Select((y_z > R(view.YMin())) & (y_z < R(view.YMax())), one, zero);
  const R slide_x = -dj02 * inverse_z, slide_y = -dj12 * inverse_z;  // cotangent of fx tx, fy ty
  const R dtx = free_x * slide_x * R(view.fx), dty = free_y * slide_y * R(view.fy);
  const R dxz = d.x * R(view.fx) + dtx, dyz = d.y * R(view.fy) + dty;  // of x/z and y/z
  R dp[3];
  dp[0] = dxz * inverse_z;
  dp[1] = dyz * inverse_z;
  dp[2] = d.depth - (dxz * x_z + dyz * y_z) * inverse_z -
          (dj00 * jx - dj02 * jx * o.tx + dj11 * jy - dj12 * jy * o.ty) * inverse_z;
  dv->fx = d.x * x_z + dj00 * inverse_z + free_x * slide_x * o.tx;
  dv->fy = d.y * y_z + dj11 * inverse_z + free_y * slide_y * o.ty;
  dv->cx = d.x - (one - free_x) * slide_x;
  dv->cy = d.y - (one - free_y) * slide_y;

  // L = W M with M = R diag(s), and p = W m + t.
  R dr[9];
  for (int j = 0; j < 3; ++j) dg->scale[j] = zero;
  for (int i = 0; i < 3; ++i) {
    dg->mean[i] = R(view.rotation[i]) * dp[0] + R(view.rotation[3 + i]) * dp[1] +
                  R(view.rotation[6 + i]) * dp[2];
    dv->translation[i] = dp[i];
    for (int j = 0; j < 3; ++j) {
      const R dm = R(view.rotation[i]) * dl[j] + R(view.rotation[3 + i]) * dl[3 + j] +
                   R(view.rotation[6 + i]) * dl[6 + j];
      dg->scale[j] += dm * o.rot[3 * i + j];
      dr[3 * i + j] = dm * g.scale[j];
      R dw = dp[i] * g.mean[j];
      for (int k = 0; k < 3; ++k) dw += dl[3 * i + k] * o.rot[3 * j + k] * g.scale[k];
      dv->rotation[3 * i + j] = dw;
    }
  }

  // Unit quaternion, then its normalisation.
  const R qw = o.unit[0], qx = o.unit[1], qy = o.unit[2], qz = o.unit[3];
  const R* r = dr;
  R du[4];
  du[0] = two * (qx * (r[7] - r[5]) + qy * (r[2] - r[6]) + qz * (r[3] - r[1]));
  du[1] = two *
          (qy * (r[3] + r[1]) + qz * (r[6] + r[2]) + qw * (r[7] - r[5]) - two * qx * (r[4] + r[8]));
  du[2] = two *
          (qx * (r[3] + r[1]) + qz * (r[7] + r[5]) + qw * (r[2] - r[6]) - two * qy * (r[0] + r[8]));
  du[3] = two *
          (qx * (r[6] + r[2]) + qy * (r[7] + r[5]) + qw * (r[3] - r[1]) - two * qz * (r[0] + r[4]));
  const R along = du[0] * qw + du[1] * qx + du[2] * qy + du[3] * qz;
  for (int i = 0; i < 4; ++i) dg->quaternion[i] = (du[i] - o.unit[i] * along) * o.inverse_norm;
}

// ---- One (tile, Gaussian) pair ----------------------------------------------------------------

// The least value of a dx^2 + 2 b dx dy + c dy^2 over the rectangle of pixel centres [x0, x1] x
// [y0, y1] (StopThePop, Radl et al. 2024, sec. 4): on the rectangle's boundary nearest to the mean,
// unless the mean lies inside. A convex function, so clamping one coordinate and minimising over
// the other on the at most two edges that face the mean is exact.
template <class T>
EMOJAX_HD T LeastPower(T x, T y, T a, T b, T c, T x0, T x1, T y0, T y1) {
  const T ex = Max(T(0), Max(x0 - x, x - x1)), ey = Max(T(0), Max(y0 - y, y - y1));
  if (ex == T(0) && ey == T(0)) return T(0);
  T least = T(INFINITY);
  if (ex > T(0)) {
    const T dx = x < x0 ? x0 - x : x1 - x;
    const T dy = Min(Max(-b * dx / c, y0 - y), y1 - y);
    least = a * dx * dx + T(2) * b * dx * dy + c * dy * dy;
  }
  if (ey > T(0)) {
    const T dy = y < y0 ? y0 - y : y1 - y;
    const T dx = Min(Max(-b * dy / a, x0 - x), x1 - x);
    least = Min(least, a * dx * dx + T(2) * b * dx * dy + c * dy * dy);
  }
  return least;
}

}  // namespace emojax
