using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Backends.Managed;

/// <summary>Any geometry, a few rows at a time by <see cref="Geometry.CostRow"/>: O(n + m) memory for every ground cost.</summary>
internal sealed class RowOperator<TSimd, TVector, T>(
    Geometry geometry,
    RowBlocks blocks,
    string description,
    CancellationToken cancellation
) : CostRowOperator<TSimd, TVector, T>(geometry, blocks, description, cancellation)
    where TSimd : struct, ISimd<TVector, T>
    where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
{
    /// <summary>Bytes of an operator for a shape.</summary>
    public static long Bytes(int rows, int columns, int threads) =>
        WorkspaceBytes(rows, columns, threads) + ((long)RowGroup * Pad(columns) * Unsafe.SizeOf<T>() * threads);

    protected override void Exponents(int row, int count, bool exponentiate, Scratch scratch)
    {
        RoundShifts(count, scratch);
        if (scratch.Own.Length == 0)
            scratch.Own = new T[RowGroup * Padded];
        for (int r = 0; r < count; r++)
        {
            Geometry.CostRow(row + r, scratch.Costs);
            Span<T> costs = scratch.Own.AsSpan(r * Padded, Columns);
            if (typeof(T) == typeof(double))
                scratch.Costs.CopyTo(MemoryMarshal.Cast<T, double>(costs));
            else
                TensorPrimitives.ConvertSaturating<double, float>(scratch.Costs, MemoryMarshal.Cast<T, float>(costs));
        }
        for (int tile = 0; tile < Padded; tile += TileColumns)
        {
            int stop = Math.Min(tile + TileColumns, Padded);
            for (int r = 0; r < count; r += 2)
            {
                int other = Math.Min(r + 1, count - 1);
                ref T first = ref scratch.Own[r * Padded];
                ref T second = ref scratch.Own[other * Padded];
                if (exponentiate)
                    Sweep<T, Exponential>(ref first, ref second, Columns, r, other, tile, stop, scratch);
                else
                    Sweep<T, Raw>(ref first, ref second, Columns, r, other, tile, stop, scratch);
            }
        }
    }
}
