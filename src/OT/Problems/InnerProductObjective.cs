using System.Buffers;
using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Problems;

/// <summary><c>−⟨K_x P K_y, P⟩</c> for symmetric K_x and K_y.</summary>
internal sealed class InnerProductObjective : TransportObjective
{
    /// <summary>Eigenvalues within this share of the largest, times the size, are rounding.</summary>
    const double Rounding = 8 * 1.1102230246251565e-16;

    readonly Matrix _kx;
    readonly Matrix _ky;

    public InnerProductObjective(Matrix kx, Matrix ky)
        : base(Symmetric(kx, nameof(kx)).Rows, Symmetric(ky, nameof(ky)).Rows)
    {
        (_kx, _ky) = (kx, ky);
        (bool xPositive, bool xNegative) = Signs(kx);
        (bool yPositive, bool yNegative) = Signs(ky);
        IsConvex = !(xPositive && yPositive) && !(xNegative && yNegative);
    }

    public override bool IsConvex { get; }

    public override double Value(ReadOnlySpan<double> plan)
    {
        var product = new double[plan.Length];
        Multiply(plan, product);
        return -Summation.Dot(plan, product);
    }

    public override void Gradient(ReadOnlySpan<double> plan, Span<double> gradient)
    {
        Multiply(plan, gradient);
        TensorPrimitives.Multiply(gradient, -2, gradient);
    }

    /// <summary><c>K_x P K_y</c>.</summary>
    void Multiply(ReadOnlySpan<double> plan, Span<double> product)
    {
        int n = Rows,
            m = Columns;
        double[] rented = ArrayPool<double>.Shared.Rent(plan.Length);
        Span<double> right = rented.AsSpan(0, plan.Length);
        right.Clear();
        product.Clear();
        for (int i = 0; i < n; i++)
        {
            Span<double> row = right.Slice(i * m, m);
            for (int k = 0; k < m; k++)
            {
                if (plan[(i * m) + k] != 0)
                    TensorPrimitives.MultiplyAdd(_ky.Row(k), plan[(i * m) + k], row, row);
            }
        }
        for (int i = 0; i < n; i++)
        {
            Span<double> row = product.Slice(i * m, m);
            for (int k = 0; k < n; k++)
                TensorPrimitives.MultiplyAdd(right.Slice(k * m, m), _kx[i, k], row, row);
        }
        ArrayPool<double>.Shared.Return(rented);
    }

    /// <summary>Whether <c>H K H</c>, H = I − 11ᵀ/n, has positive and negative eigenvalues: differences of plans see no other part of K.</summary>
    static (bool Positive, bool Negative) Signs(Matrix k)
    {
        int n = k.Rows;
        var means = new double[n];
        for (int i = 0; i < n; i++)
            means[i] = Summation.Sum(k.Row(i)) / n;
        double mean = Summation.Sum(means) / n;
        double scale = Math.Abs(TensorPrimitives.MaxMagnitude(k.Values));
        if (scale == 0)
            return (false, false);
        var centred = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(
            n,
            n,
            (i, j) => ((k[i, j] + k[j, i]) / 2 / scale) - ((means[i] + means[j] - mean) / scale)
        );
        var values = centred.Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric).EigenValues;
        double noise = Rounding * n * n;
        return (values.Any(v => v.Real > noise), values.Any(v => v.Real < -noise));
    }

    static Matrix Symmetric(Matrix k, string name)
    {
        ArgumentNullException.ThrowIfNull(k, name);
        if (k.Rows != k.Columns)
            throw new ArgumentException($"{name} is {k.Rows} x {k.Columns}: it must be square.", name);
        Guard.Finite(k.Values, name);
        double slack = 1e-12 * (k.Values.IsEmpty ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude(k.Values)));
        for (int i = 0; i < k.Rows; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (Math.Abs(k[i, j] - k[j, i]) > slack)
                    throw new ArgumentException(
                        FormattableString.Invariant(
                            $"{name}[{i}, {j}] is {k[i, j]}, {name}[{j}, {i}] is {k[j, i]}: it must be symmetric."
                        ),
                        name
                    );
            }
        }
        return k;
    }
}
