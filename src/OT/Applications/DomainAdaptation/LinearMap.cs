using System.Collections.Immutable;
using System.Globalization;
using System.Numerics.Tensors;
using OT.Interop;
using OT.IO;
using OT.Numerics;

namespace OT.Applications.DomainAdaptation;

/// <summary>
/// The optimal map between two Gaussians, <c>T(x) = m_t + A (x − m_s)</c> with <c>A = Σ_s^−½ (Σ_s^½ Σ_t Σ_s^½)^½ Σ_s^−½</c>: symmetric, it takes mean and covariance of the source to those
/// of the target at the least squared distance.
/// </summary>
/// <remarks>
/// O(n d² + d³). Where the source does not vary, in directions of no variance, no map is determined and A is the identity: a fit with one point is a translation.
/// Knott and Smith 1984; Flamary, Lounici and Ferrari, arXiv:1905.10155; docs/theory/domain-adaptation.md
/// </remarks>
public sealed class LinearMap : DomainMap
{
    readonly Gaussian _source;
    readonly Gaussian _target;
    readonly Lazy<Matrix?> _inverse;

    internal LinearMap(Gaussian source, Gaussian target, Matrix map, double transportCost, int sourceRank)
    {
        (_source, _target, Matrix, TransportCost, SourceRank) = (source, target, map, transportCost, sourceRank);
        _inverse = new(Inverted);
    }

    /// <summary>Fits the map to the moments of two clouds. Classes are not looked at.</summary>
    /// <param name="source">n × d points with weights.</param>
    /// <param name="target">m × d points with weights; the masses need not agree, as moments are per unit of mass.</param>
    /// <param name="options">Regularisation; defaults when left out.</param>
    /// <exception cref="ArgumentException">A measure has no points, dimensions differ, an option is out of range, or a covariance leaves the range of doubles.</exception>
    public static LinearMap Fit(Measure source, Measure target, LinearMapOptions? options = null)
    {
        (Domain from, Domain to) = (new Domain(source), new Domain(target));
        options ??= new();
        options.Validate();
        if (from.Dimension != to.Dimension)
            throw new ArgumentException(
                $"Source points have {from.Dimension} coordinates, target points {to.Dimension}: the counts must be equal.",
                nameof(target)
            );
        return Between(
            Gaussian.Of(source, options.UnbiasedCovariance, nameof(source)),
            Gaussian.Of(target, options.UnbiasedCovariance, nameof(target)),
            options.Regularization
        );
    }

    /// <summary>The map between two Gaussians that are known.</summary>
    /// <param name="sourceMean">d values.</param>
    /// <param name="sourceCovariance">d × d, symmetric and positive semidefinite.</param>
    /// <param name="targetMean">d values.</param>
    /// <param name="targetCovariance">d × d.</param>
    /// <param name="regularization">As <see cref="LinearMapOptions.Regularization"/>; 0 by default.</param>
    /// <exception cref="ArgumentException">Sizes differ, a value is not finite, or a covariance is not symmetric and positive semidefinite up to rounding.</exception>
    public static LinearMap BetweenGaussians(
        ReadOnlySpan<double> sourceMean,
        Matrix sourceCovariance,
        ReadOnlySpan<double> targetMean,
        Matrix targetCovariance,
        double regularization = 0
    )
    {
        Guard.NonNegative(regularization);
        Guard.Length(targetMean.Length, sourceMean.Length, nameof(targetMean));
        return Between(
            Checked(sourceMean, sourceCovariance, nameof(sourceCovariance)),
            Checked(targetMean, targetCovariance, nameof(targetCovariance)),
            regularization
        );
    }

    /// <summary>A, d × d, symmetric and positive semidefinite.</summary>
    public Matrix Matrix { get; }

    /// <summary>m_s.</summary>
    public ImmutableArray<double> SourceMean => [.. _source.Mean];

    /// <summary>m_t.</summary>
    public ImmutableArray<double> TargetMean => [.. _target.Mean];

    /// <summary>Σ_s, d × d, without what regularisation adds.</summary>
    public Matrix SourceCovariance => _source.Covariance;

    /// <summary>Σ_t.</summary>
    public Matrix TargetCovariance => _target.Covariance;

    /// <summary><c>|m_s − m_t|² + tr(Σ_s + Σ_t − 2 (Σ_s^½ Σ_t Σ_s^½)^½)</c>, the squared W₂ of the two Gaussians (regularised, where asked for). No root is taken.</summary>
    public double TransportCost { get; }

    /// <summary>Directions in which the source varies, d at most.</summary>
    public int SourceRank { get; }

    /// <summary>
    /// How far the covariance of the images is from the target's: <c>‖A Σ_s A − Σ_t‖ / ‖Σ_t‖</c>, Frobenius norms. Rounding where the map is exact; more with regularisation,
    /// and where the target varies in directions in which the source does not: no map makes up for that.
    /// </summary>
    public double CovarianceError
    {
        get
        {
            Matrix image = Products.Times(Products.Times(Matrix, _source.Covariance), Matrix);
            double missed = TensorPrimitives.Distance(image.Values, _target.Covariance.Values);
            return missed == 0 ? 0 : missed / TensorPrimitives.Norm(_target.Covariance.Values);
        }
    }

    /// <summary>Whether A has an inverse, so that <see cref="DomainMap.InverseTransform"/> exists.</summary>
    public bool IsInvertible => _inverse.Value is not null;

    /// <inheritdoc/>
    public override int Dimension => _source.Mean.Length;

    private protected override Matrix Forward(Matrix points) => Affine(points, _source.Mean, Matrix, _target.Mean);

    private protected override Matrix Backward(Matrix points) =>
        Affine(
            points,
            _target.Mean,
            _inverse.Value
                ?? throw new NotSupportedException(
                    "The linear map is singular: it takes whole lines to single points, so it has no inverse. Fit with LinearMapOptions.Regularization, or fit a map from target to source."
                ),
            _source.Mean
        );

    private protected override (string Name, NpyArray Array)[] Members() =>
        [
            .. MapFile.Head(MapFile.Linear),
            ("mean_source", new NpyArray(_source.Mean, Dimension)),
            ("mean_target", new NpyArray(_target.Mean, Dimension)),
            ("covariance_source", new NpyArray(_source.Covariance)),
            ("covariance_target", new NpyArray(_target.Covariance)),
            ("matrix", new NpyArray(Matrix)),
            ("transport_cost", new NpyArray([TransportCost])),
            ("source_rank", new NpyArray([(long)SourceRank])),
        ];

    /// <summary><c>to + A (x − from)</c> for every row x; A is symmetric.</summary>
    static Matrix Affine(Matrix points, double[] from, Matrix a, double[] to)
    {
        var centred = new double[points.Values.Length];
        for (int i = 0; i < points.Rows; i++)
            TensorPrimitives.Subtract(points.Row(i), from, centred.AsSpan(i * from.Length));
        double[] images = Products.TimesTransposed(new Matrix(points.Rows, from.Length, centred), a).Values.ToArray();
        for (int i = 0; i < points.Rows; i++)
        {
            Span<double> image = images.AsSpan(i * from.Length, from.Length);
            TensorPrimitives.Add(image, to, image);
        }
        return new Matrix(points.Rows, from.Length, images);
    }

    static LinearMap Between(Gaussian source, Gaussian target, double regularization)
    {
        (double traceS, double traceT) = (source.Trace, target.Trace);
        double ridge = regularization * ((traceS / 2) + (traceT / 2)) / source.Mean.Length;
        if (!double.IsFinite(ridge))
            throw new ArgumentOutOfRangeException(
                nameof(regularization),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Regularization {regularization} overflows beside these covariances."
                )
            );
        (Matrix map, double fidelity, int rank) = Gaussian.Between(source, target, ridge);
        double shift = TensorPrimitives.Distance<double>(source.Mean, target.Mean);
        double spread = traceS + traceT + (2 * source.Mean.Length * ridge) - (2 * fidelity);
        return new(source, target, map, (shift * shift) + Math.Max(0, spread), rank);
    }

    static Gaussian Checked(ReadOnlySpan<double> mean, Matrix covariance, string name)
    {
        ArgumentNullException.ThrowIfNull(covariance, name);
        Guard.Finite(mean);
        Guard.Finite(covariance.Values, name);
        int d = mean.Length;
        if (d == 0 || covariance.Rows != d || covariance.Columns != d)
            throw new ArgumentException($"{name} is {covariance.Rows} x {covariance.Columns} for a mean of {d} values.", name);
        var gaussian = new Gaussian(mean.ToArray(), covariance);
        double size = TensorPrimitives.MaxMagnitude(covariance.Values);
        double asymmetry = TensorPrimitives.Distance(covariance.Values, covariance.Transpose().Values);
        if (
            asymmetry > gaussian.Rounding * size
            || (size > 0 && Gaussian.Eigen(covariance.ToMathNet() / size).Values.Min() < -gaussian.Rounding * d)
        )
            throw new ArgumentException($"{name} is not symmetric and positive semidefinite.", name);
        return gaussian;
    }

    Matrix? Inverted()
    {
        var eigen = Gaussian.Eigen(Matrix.ToMathNet());
        // What is lost to rounding cannot be told from nothing.
        return eigen.Values.Min() > _source.Rounding * eigen.Values.Max()
            ? Gaussian.Function(eigen, value => 1 / value).ToMatrix()
            : null;
    }
}
