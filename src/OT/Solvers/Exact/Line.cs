using OT.Geometries;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Exact;

/// <summary>The north-west corner plan of points on the line, taken in the orders given, and the potentials that are tight on its staircase.</summary>
internal sealed class Line(ExactProblem problem, PointCloud cloud, int[] x, int[] y)
{
    readonly double[] _a = Gather(problem.Supply, x);
    readonly double[] _b = Gather(problem.Demand, y);
    readonly double[] _x = Side.Gather(cloud.Source.Values, x);
    readonly double[] _y = Side.Gather(cloud.Target.Values, y);

    /// <summary>The plan, its cost and the L1 error of both its marginals.</summary>
    public (SparsePlan Plan, double Cost, double MarginalError) Plan()
    {
        int n = x.Length,
            m = y.Length;
        if (n == m && IsEven(_a) && IsEven(_b))
            return Permutation();
        ReadOnlySpan<double> b = problem.Problem.B.Weights;
        double[] given = b.SequenceEqual(problem.Demand) ? _b : Side.Gather(b, y);
        // The cells with mass, in the order of the walk; where those of each row end; and how far down the walk each row comes.
        var cells = GC.AllocateUninitializedArray<(double Mass, int Column)>(n + m - 1);
        int[] ends = GC.AllocateUninitializedArray<int>(n),
            rank = GC.AllocateUninitializedArray<int>(n);
        Compensated cost = default,
            error = default,
            row = default,
            column = default;
        int count = 0;
        var stairs = new Staircase(_a, _b);
        for (bool more = true; more; )
        {
            (int i, int j, double mass) = (stairs.I, stairs.J, stairs.Mass);
            if (mass > 0)
            {
                cells[count++] = (mass, y[j]);
                cost.Add(mass * Cost(i, j));
                row.Add(mass);
                column.Add(mass);
            }
            more = stairs.Advance();
            if (!more || stairs.I > i)
            {
                error.Add(Math.Abs(row.Value - _a[i]));
                row = default;
                (ends[i], rank[x[i]]) = (count, i);
            }
            if (!more || stairs.J > j)
            {
                error.Add(Math.Abs(column.Value - given[j]));
                column = default;
            }
        }

        var starts = new long[n + 1];
        int[] columns = GC.AllocateUninitializedArray<int>(count);
        double[] masses = GC.AllocateUninitializedArray<double>(count);
        int to = 0;
        for (int k = 0; k < n; k++)
        {
            int i = rank[k],
                from = to;
            for (int cell = i == 0 ? 0 : ends[i - 1]; cell < ends[i]; cell++)
                (masses[to], columns[to++]) = cells[cell];
            if (to > from + 1)
                Array.Sort(columns, masses, from, to - from);
            starts[k + 1] = to;
        }
        return (new SparsePlan(new SparseMatrix(n, m, starts, columns, masses)), cost.Value, error.Value);
    }

    /// <summary>With equal weights the i-th point goes to the i-th.</summary>
    (SparsePlan Plan, double Cost, double MarginalError) Permutation()
    {
        int n = x.Length;
        var starts = new long[n + 1];
        int[] columns = GC.AllocateUninitializedArray<int>(n);
        double[] masses = GC.AllocateUninitializedArray<double>(n);
        Array.Fill(masses, _a[0]);
        Compensated cost = default;
        for (int i = 0; i < n; i++)
        {
            starts[i + 1] = i + 1;
            columns[x[i]] = y[i];
            cost.Add(Cost(i, i));
        }
        double error = n * Math.Abs(_a[0] - problem.Problem.B.Weights[0]);
        return (new SparsePlan(new SparseMatrix(n, n, starts, columns, masses)), _a[0] * cost.Value, error);
    }

    /// <summary>Every step of the staircase is tight: a new potential differs from the last of its side by the difference of two costs.</summary>
    /// <returns>Null where one would not be finite.</returns>
    public Potentials? Potentials()
    {
        double[] f = GC.AllocateUninitializedArray<double>(x.Length),
            g = GC.AllocateUninitializedArray<double>(y.Length);
        Compensated lastF = default,
            lastG = default;
        double here = Cost(0, 0);
        lastG.Add(here);
        (f[x[0]], g[y[0]]) = (0, here);
        var stairs = new Staircase(_a, _b);
        for (int i = 0; stairs.Advance(); i = stairs.I)
        {
            double next = Cost(stairs.I, stairs.J);
            if (stairs.I > i)
            {
                lastF.Add(next);
                lastF.Add(-here);
                f[x[stairs.I]] = lastF.Value;
            }
            else
            {
                lastG.Add(next);
                lastG.Add(-here);
                g[y[stairs.J]] = lastG.Value;
            }
            here = next;
        }
        return double.IsFinite(lastF.Value) && double.IsFinite(lastG.Value)
            ? Results.Potentials.Centred(f, g, problem.Problem.A, problem.Problem.B)
            : null;
    }

    double Cost(int i, int j) => cloud.GroundCost.Evaluate(_x.AsSpan(i, 1), _y.AsSpan(j, 1));

    static double[] Gather(double[] weights, int[] order) => IsEven(weights) ? weights : Side.Gather(weights, order);

    static bool IsEven(double[] weights) => !weights.AsSpan().ContainsAnyExcept(weights[0]);
}
