using System.Numerics.Tensors;
using OT.Geometries;
using OT.Problems;

namespace OT.Solvers.Inverse;

/// <summary>Free coordinates t of θ, what they cost, and what must hold at an optimum.</summary>
/// <remarks>
/// Linear constraints are in the coordinates: θ = E t with orthonormal columns, one for each entry of the diagonal, or for both entries of a symmetric pair. What is left is separable, by
/// coordinate or by group, but for the nuclear norm and for semidefinite matrices.
/// </remarks>
internal sealed class ParameterSpace
{
    readonly (int First, int Second)[] _entries;
    readonly (int Rows, int Columns)? _shape;
    readonly ParameterPenalty _penalty;
    readonly ParameterConstraint _constraint;
    readonly int _sign;
    readonly int _parameters;

    public ParameterSpace(
        int count,
        (int Rows, int Columns)? shape,
        ParameterPenalty penalty,
        ParameterConstraint constraint,
        int sign,
        ReadOnlySpan<double> deviations
    )
    {
        (_parameters, _shape, _penalty, _constraint, _sign) = (count, shape, penalty, constraint, sign);
        Check();
        _entries = Entries();
        Weights = new double[_entries.Length];
        var groups = new SortedDictionary<int, List<int>>();
        for (int k = 0; k < _entries.Length; k++)
        {
            (int first, int second) = _entries[k];
            Weights[k] = second < 0 ? WeightOf(first) : (WeightOf(first) + WeightOf(second)) / Math.Sqrt(2);
            int group = penalty is GroupPenalty { Groups: var of } ? of[first] : k;
            if (second >= 0 && penalty is GroupPenalty && ((GroupPenalty)penalty).Groups[second] != group)
                throw new ArgumentException(
                    $"Entries {first} and {second} are one parameter of a symmetric matrix: they must be in one group."
                );
            if (!groups.TryGetValue(group, out List<int>? members))
                groups[group] = members = [];
            members.Add(k);
        }
        Blocks = [.. groups.Values.Select(members => members.ToArray())];
        Visible = new bool[_entries.Length];
        Scales = new double[_entries.Length];
        for (int k = 0; k < _entries.Length; k++)
        {
            (int first, int second) = _entries[k];
            Scales[k] = Math.Max(deviations[first], second < 0 ? 0 : deviations[second]);
            Visible[k] = Scales[k] > 0;
        }
    }

    /// <summary>Number of free coordinates.</summary>
    public int Count => _entries.Length;

    /// <summary>Penalty weight of each coordinate; of its group where there are groups.</summary>
    public double[] Weights { get; }

    /// <summary>Coordinates that are penalised together: single ones but for groups.</summary>
    public int[][] Blocks { get; }

    /// <summary>Coordinates that some plan notices; the others stay 0.</summary>
    public bool[] Visible { get; }

    /// <summary>Deviation of each coordinate's term.</summary>
    public double[] Scales { get; }

    /// <summary>Whether penalty and constraint are sums over <see cref="Blocks"/>.</summary>
    public bool IsSeparable => _penalty is not NuclearPenalty && _constraint != ParameterConstraint.PositiveSemidefinite;

    /// <summary>Whether coordinates must not be negative.</summary>
    public bool IsNonNegative => _constraint == ParameterConstraint.NonNegative;

    /// <summary>Whether some coordinate is free of the penalty.</summary>
    public bool HasFree => _penalty is L1Penalty && Weights.Contains(0.0);

    /// <summary>θ in the problem's convention.</summary>
    public double[] Expand(ReadOnlySpan<double> t)
    {
        var theta = new double[_parameters];
        for (int k = 0; k < _entries.Length; k++)
        {
            (int first, int second) = _entries[k];
            theta[first] = second < 0 ? t[k] : t[k] / Math.Sqrt(2);
            if (second >= 0)
                theta[second] = theta[first];
        }
        return theta;
    }

    /// <summary>θ of the cost: the other sign where the problem has a surplus.</summary>
    public double[] ExpandToCost(ReadOnlySpan<double> t)
    {
        double[] theta = Expand(t);
        if (_sign < 0)
            TensorPrimitives.Negate(theta, theta);
        return theta;
    }

    /// <summary>Numbers of coordinates, written at each of their entries.</summary>
    public double[] ExpandDual(ReadOnlySpan<double> z)
    {
        var entries = new double[_parameters];
        for (int k = 0; k < _entries.Length; k++)
        {
            entries[_entries[k].First] = z[k];
            if (_entries[k].Second >= 0)
                entries[_entries[k].Second] = z[k];
        }
        return entries;
    }

    /// <summary><c>Eᵀ θ</c>: coordinates of a parameter or of a gradient in the problem's convention.</summary>
    public double[] Restrict(ReadOnlySpan<double> theta)
    {
        var t = new double[Count];
        for (int k = 0; k < t.Length; k++)
        {
            (int first, int second) = _entries[k];
            t[k] = second < 0 ? theta[first] : (theta[first] + theta[second]) / Math.Sqrt(2);
        }
        return t;
    }

    /// <summary>The same of a gradient in the cost's parameter.</summary>
    public double[] RestrictFromCost(ReadOnlySpan<double> gradient)
    {
        double[] t = Restrict(gradient);
        if (_sign < 0)
            TensorPrimitives.Negate(t, t);
        return t;
    }

    /// <summary>The terms that some coordinates stand for, and the Hessian or the derivatives of potentials in those coordinates.</summary>
    public (int[] Terms, Func<HessianBlock, HessianBlock> Reduce) Terms(int[] coordinates)
    {
        int[] terms =
        [
            .. coordinates.SelectMany(k => new[] { _entries[k].First, _entries[k].Second }).Where(term => term >= 0).Order(),
        ];
        (int First, int Second)[] at =
        [
            .. coordinates.Select(k =>
                (Array.BinarySearch(terms, _entries[k].First), Array.BinarySearch(terms, _entries[k].Second))
            ),
        ];
        return (terms, Reduce);

        HessianBlock Reduce(HessianBlock full)
        {
            double[] Sum(double[][] rows, (int First, int Second) pair, double sign)
            {
                double[] result = [.. rows[pair.First]];
                if (pair.Second >= 0)
                    TensorPrimitives.Add(result, rows[pair.Second], result);
                TensorPrimitives.Multiply(result, sign * (pair.Second < 0 ? 1 : 1 / Math.Sqrt(2)), result);
                return result;
            }
            var values = new double[coordinates.Length][];
            for (int k = 0; k < values.Length; k++)
            {
                double[] row = Sum(full.Values, at[k], 1);
                values[k] =
                [
                    .. at.Select(pair => pair.Second < 0 ? row[pair.First] : (row[pair.First] + row[pair.Second]) / Math.Sqrt(2)),
                ];
            }
            return full.U.Length == 0
                ? new HessianBlock(values, [], [])
                : new HessianBlock(
                    values,
                    [.. at.Select(pair => Sum(full.U, pair, _sign))],
                    [.. at.Select(pair => Sum(full.V, pair, _sign))]
                );
        }
    }

    /// <summary>R.</summary>
    public double Penalty(ReadOnlySpan<double> t)
    {
        if (_penalty is NuclearPenalty)
            return SpectralProximity.SingularValues(Expand(t), _shape!.Value).Sum();
        double sum = 0;
        foreach (int[] block in Blocks)
            sum += Weights[block[0]] * Norm(t, block);
        return sum;
    }

    /// <summary>The minimiser of <c>λ R(t) + Σ_k (t_k − v_k)²/(2 step_k)</c> under the constraint, in place. Steps are equal within a block, and all equal unless separable.</summary>
    public void Proximal(Span<double> t, ReadOnlySpan<double> steps, double lambda)
    {
        for (int k = 0; k < t.Length; k++)
            t[k] = Visible[k] ? t[k] : 0;
        if (!IsSeparable)
        {
            Restrict(SpectralProximity.Of(Expand(t), _shape!.Value, _penalty, _constraint, steps[0] * lambda, this)).CopyTo(t);
            return;
        }
        foreach (int[] block in Blocks)
            ProximalBlock(t, block, steps[block[0]] * lambda);
    }

    /// <summary>The same for one block, with threshold <c>step λ</c>.</summary>
    public void ProximalBlock(Span<double> t, int[] block, double threshold)
    {
        if (IsNonNegative)
        {
            foreach (int k in block)
                t[k] = Math.Max(0, t[k]);
        }
        double norm = Norm(t, block);
        double factor = norm > 0 ? Math.Max(0, 1 - (threshold * Weights[block[0]] / norm)) : 0;
        foreach (int k in block)
            t[k] = factor == 0 ? 0 : t[k] * factor; // no negative zeros
    }

    /// <summary>
    /// How far the gradient G is from allowing t: the largest distance of −G from λ ∂R(t), by block, in units of the block's largest deviation. Where that has no closed form, the gradient step's
    /// length over its step, in units of the largest deviation of all.
    /// </summary>
    public double Residual(ReadOnlySpan<double> t, ReadOnlySpan<double> gradient, double lambda)
    {
        if (!IsSeparable)
        {
            double largest = Scales.Max();
            double step = largest > 0 ? 1 / (largest * largest) : 1;
            double[] moved = new double[Count],
                steps = new double[Count];
            Array.Fill(steps, step);
            TensorPrimitives.MultiplyAdd(gradient, -step, t, moved);
            Proximal(moved, steps, lambda);
            TensorPrimitives.Subtract(moved, t, moved);
            return Math.Abs(TensorPrimitives.MaxMagnitude<double>(moved)) / step / (largest > 0 ? largest : 1);
        }
        double residual = 0;
        foreach (int[] block in Blocks)
        {
            double scale = ScaleOf(block);
            if (scale > 0)
                residual = Math.Max(residual, BlockResidual(t, gradient, lambda * Weights[block[0]], block) / scale);
        }
        return residual;
    }

    /// <summary>The largest deviation of a block's terms; 0 where none is visible.</summary>
    public double ScaleOf(int[] block)
    {
        double largest = 0;
        foreach (int k in block)
            largest = Math.Max(largest, Scales[k]);
        return largest;
    }

    /// <summary>The distance for one block; <paramref name="strength"/> is λ times its weight.</summary>
    public double BlockResidual(ReadOnlySpan<double> t, ReadOnlySpan<double> gradient, double strength, int[] block)
    {
        double norm = Norm(t, block),
            sum = 0;
        foreach (int k in block)
        {
            double rest = gradient[k] + (norm > 0 ? strength * t[k] / norm : 0);
            if (!Visible[k] || (IsNonNegative && t[k] == 0 && rest > 0))
                continue;
            sum += rest * rest;
        }
        return norm > 0 ? Math.Sqrt(sum) : Math.Max(0, Math.Sqrt(sum) - strength);
    }

    /// <summary>The least λ whose solution is 0 when the gradient at 0 is G: the dual norm of −G. Free coordinates do not count.</summary>
    public double DualNorm(ReadOnlySpan<double> gradient)
    {
        if (!IsSeparable)
            return SpectralProximity.DualNorm(Expand(gradient), _shape!.Value, _penalty, _constraint, this);
        double largest = 0;
        foreach (int[] block in Blocks)
        {
            double weight = Weights[block[0]];
            double sum = 0;
            foreach (int k in block)
                sum += !Visible[k] || (IsNonNegative && gradient[k] > 0) ? 0 : gradient[k] * gradient[k];
            if (weight > 0)
                largest = Math.Max(largest, Math.Sqrt(sum) / weight);
        }
        return largest;
    }

    /// <summary>A subgradient of R at t on its support: signs times weights, or unit vectors of groups.</summary>
    public double[] Subgradient(ReadOnlySpan<double> t)
    {
        var sign = new double[Count];
        foreach (int[] block in Blocks)
        {
            double norm = Norm(t, block);
            foreach (int k in block)
                sign[k] = norm > 0 ? Weights[k] * t[k] / norm : 0;
        }
        return sign;
    }

    public static double Norm(ReadOnlySpan<double> t, int[] block)
    {
        if (block.Length == 1)
            return Math.Abs(t[block[0]]);
        double sum = 0;
        foreach (int k in block)
            sum += t[k] * t[k];
        return Math.Sqrt(sum);
    }

    double WeightOf(int term) => _penalty is L1Penalty { Weights: { IsEmpty: false } weights } ? weights[term] : 1;

    (int First, int Second)[] Entries()
    {
        if (_constraint is ParameterConstraint.None or ParameterConstraint.NonNegative)
            return [.. Enumerable.Range(0, _parameters).Select(k => (k, -1))];
        int d = _shape!.Value.Rows,
            columns = _shape.Value.Columns;
        if (_constraint == ParameterConstraint.Diagonal)
            return [.. Enumerable.Range(0, Math.Min(d, columns)).Select(k => ((k * columns) + k, -1))];
        return
        [
            .. Enumerable
                .Range(0, d)
                .SelectMany(i => Enumerable.Range(i, d - i).Select(j => ((i * d) + j, i == j ? -1 : (j * d) + i))),
        ];
    }

    void Check()
    {
        if (!Enum.IsDefined(_constraint))
            throw new ArgumentOutOfRangeException(nameof(_constraint), $"Constraint is {_constraint}: it is not a constraint.");
        bool matrix =
            _penalty is NuclearPenalty || _constraint is not (ParameterConstraint.None or ParameterConstraint.NonNegative);
        if (matrix && _shape is null)
            throw new ArgumentException(
                $"Penalty {_penalty} and constraint {_constraint} need a parameter that is a matrix: use CostDictionary.Bilinear."
            );
        bool square = _constraint is ParameterConstraint.Symmetric or ParameterConstraint.PositiveSemidefinite;
        if (square && _shape!.Value.Rows != _shape.Value.Columns)
            throw new ArgumentException(
                $"The parameter is {_shape.Value.Rows} x {_shape.Value.Columns}: a {_constraint} one must be square."
            );
        int given = _penalty switch
        {
            L1Penalty { Weights.IsEmpty: false } l1 => l1.Weights.Length,
            GroupPenalty group => group.Groups.Length,
            _ => _parameters,
        };
        if (given != _parameters)
            throw new ArgumentException(
                $"The penalty has {given} weights or groups for {_parameters} terms: the counts must be equal."
            );
    }
}
